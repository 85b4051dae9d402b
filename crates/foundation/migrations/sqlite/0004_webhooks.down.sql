-- parent: 0001_foundation
-- message: Webhooks and their deliveries
-- created: 2026-11-29

DROP TABLE deliveries;
DROP TABLE webhook_leases;
DROP TABLE webhooks;
