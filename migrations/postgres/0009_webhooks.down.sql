DROP TABLE deliveries;
DROP TABLE webhooks;
DROP INDEX tasks_lane_idx;
ALTER TABLE tasks DROP COLUMN lane;
