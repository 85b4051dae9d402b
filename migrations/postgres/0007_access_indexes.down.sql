-- parent: 0006_post_statistics
-- message: Indexes for the filters of long lists
-- created: 2026-11-21

CREATE INDEX audit_events_object_idx ON audit_events (object_type, object_id, id);
DROP INDEX audit_events_object_id_idx;
DROP INDEX audit_events_object_type_idx;
DROP INDEX audit_events_action_idx;
DROP INDEX grants_object_id_idx;
