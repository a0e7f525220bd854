-- Messages that were refused, kept for thirty days. Read the view `rejected`.
CREATE TABLE IF NOT EXISTS {{database}}.rejected_messages {{on_cluster}}
(
    device_id   UUID,
    received_at DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    protocol    LowCardinality(String),
    topic       String CODEC(ZSTD(1)),
    reason      String CODEC(ZSTD(1)),
    payload     String COMMENT 'the first KiB as it was sent; any bytes' CODEC(ZSTD(1)),
    segment     LowCardinality(String)
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (device_id, received_at)
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 1209600,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
