DROP TABLE post_statistics;
