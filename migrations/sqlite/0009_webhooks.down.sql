-- parent: 0008_tasks
-- message: Webhooks and their deliveries
-- created: 2026-11-21

DROP TABLE deliveries;
DROP TABLE webhooks;
DROP INDEX tasks_lane_idx;
ALTER TABLE tasks DROP COLUMN lane;
