-- parent: 0016_webhook_leases
-- message: Audit logins with client addresses and retention
-- created: 2026-11-29

DROP INDEX audit_events_aggregation_key_key;
DROP INDEX audit_events_address_idx;
DROP TABLE audit_retention;
ALTER TABLE audit_events DROP COLUMN address;
ALTER TABLE audit_events DROP COLUMN occurrences;
ALTER TABLE audit_events DROP COLUMN last_at;
ALTER TABLE audit_events DROP COLUMN aggregation_key;
CREATE OR REPLACE FUNCTION audit_events_refuse()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END $function$;
