-- parent: 0016_webhook_leases
-- message: Audit logins with client addresses and retention
-- created: 2026-11-29
-- locks: both indexes are partial and begin empty, and the audit has few writers

ALTER TABLE audit_events ADD COLUMN address TEXT;
ALTER TABLE audit_events ADD COLUMN occurrences BIGINT NOT NULL DEFAULT 1;
ALTER TABLE audit_events ADD COLUMN last_at TIMESTAMPTZ;
ALTER TABLE audit_events ADD COLUMN aggregation_key TEXT;
CREATE TABLE audit_retention (
    id             BIGINT NOT NULL,
    expired_before TIMESTAMPTZ NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT audit_retention_pkey PRIMARY KEY (id),
    CONSTRAINT audit_retention_id_check CHECK (id = 1)
);
CREATE UNIQUE INDEX audit_events_aggregation_key_key ON audit_events (aggregation_key) WHERE aggregation_key IS NOT NULL;
CREATE INDEX audit_events_address_idx ON audit_events (address, id) WHERE address IS NOT NULL;
CREATE OR REPLACE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.aggregation_key IS NOT NULL AND NEW.occurrences = OLD.occurrences + 1
            AND to_jsonb(NEW) - 'occurrences' - 'last_at' = to_jsonb(OLD) - 'occurrences' - 'last_at' THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.created_at < (SELECT max(expired_before) FROM audit_retention) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit events are never changed, and never deleted before they expire';
END $$;
