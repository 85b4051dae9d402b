//! The tables of audit.

use crate::db::tables::declare::{
    bigint, index, key, never_updated, postgres, primary_key, sqlite, text, timestamp, unique_index,
};
use crate::tables;

tables! {
    /// From when on audit events are kept: one row. Those from before have expired and can be deleted.
    AuditRetention without hooks "The table marks expired audit events; the job that deletes them is the only writer." {
        Id: bigint().check("id = 1"),
        ExpiredBefore: timestamp(),
        CreatedAt: timestamp(),
        UpdatedAt: timestamp(),
    } with [
        primary_key([Id]),
    ]

    /// The audit: changes of accounts and access, and logins. Rows are added; many failed logins are counted in one row,
    /// and expired rows are deleted. Triggers refuse everything else.
    AuditEvents without hooks "They are what is kept of signals; triggers refuse to change or delete them." {
        Id: key(),
        ActorId: bigint().null(),
        Action: text(),
        ObjectType: text(),
        ObjectId: bigint().null(),
        Before: text().null(),
        After: text().null(),
        RequestId: text().null(),
        CreatedAt: timestamp(),
        Address: text().null(),
        Occurrences: bigint().default("1"),
        LastAt: timestamp().null(),
        AggregationKey: text().null(),
    } with [
        never_updated("counted at `last_at`, else never changed"),
        unique_index("audit_events_aggregation_key_key", [AggregationKey]).only_where("aggregation_key IS NOT NULL"),
        index("audit_events_address_idx", [Address, Id]).only_where("address IS NOT NULL"),
        index("audit_events_actor_id_idx", [ActorId, Id]),
        index("audit_events_created_at_idx", [CreatedAt]),
        index("audit_events_action_idx", [Action, Id]),
        index("audit_events_object_type_idx", [ObjectType, Id]),
        index("audit_events_object_id_idx", [ObjectId, ObjectType, Id]),
        sqlite("CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
    WHEN NOT (OLD.aggregation_key IS NOT NULL AND NEW.occurrences = OLD.occurrences + 1
        AND NEW.id IS OLD.id
        AND NEW.actor_id IS OLD.actor_id
        AND NEW.action IS OLD.action
        AND NEW.object_type IS OLD.object_type
        AND NEW.object_id IS OLD.object_id
        AND NEW.before IS OLD.before
        AND NEW.after IS OLD.after
        AND NEW.request_id IS OLD.request_id
        AND NEW.created_at IS OLD.created_at
        AND NEW.address IS OLD.address
        AND NEW.aggregation_key IS OLD.aggregation_key) BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END"),
        sqlite("CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events
    WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE OLD.created_at < expired_before) BEGIN
    SELECT RAISE(ABORT, 'audit events are never deleted before they expire');
END"),
        postgres("CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$"),
        postgres("CREATE TRIGGER audit_events_update BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse()"),
        postgres("CREATE TRIGGER audit_events_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse()"),
    ]
}
