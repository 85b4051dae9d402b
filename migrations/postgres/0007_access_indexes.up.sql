-- parent: 0006_post_statistics
-- message: Indexes for the filters of long lists
-- created: 2026-11-21
-- locks: grants and the audit came with 0005_access: they are small

-- The filters of the lists that grow; the grants of an object also go with it.
CREATE INDEX grants_object_id_idx ON grants (object_id, id);
CREATE INDEX audit_events_action_idx ON audit_events (action, id);
CREATE INDEX audit_events_object_type_idx ON audit_events (object_type, id);
CREATE INDEX audit_events_object_id_idx ON audit_events (object_id, object_type, id);
DROP INDEX audit_events_object_idx;
