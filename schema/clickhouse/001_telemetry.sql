-- Every point, one row. Of two rows with the same device, key and ts the later arrival wins.
-- Columns in the order in which the node's Native blocks carry them. The keys of a message share
-- their times: blocks of 1 MiB let the compressor see them beside one another.
CREATE TABLE IF NOT EXISTS {{database}}.telemetry {{on_cluster}}
(
    device_id   UUID,
    key         LowCardinality(String),
    ts          DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1))
                SETTINGS (min_compress_block_size = 1048576, max_compress_block_size = 1048576),
    received_at DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1))
                SETTINGS (min_compress_block_size = 1048576, max_compress_block_size = 1048576),
    type        Enum8('bool' = 1, 'long' = 2, 'double' = 3, 'string' = 4, 'json' = 5)
                CODEC(ZSTD(1)),
    num         Float64 COMMENT 'bool as 0 or 1, long, double; else 0' CODEC(ZSTD(1)),
    long        Int64 COMMENT 'the long when a Float64 cannot hold it, else 0' CODEC(ZSTD(1)),
    text        String COMMENT 'string, or json as it was sent; else empty' CODEC(ZSTD(1)),
    segment     LowCardinality(String) COMMENT 'the journal segment that brought the row',
    -- After a crash the node asks for the rows of one segment: most granules need not be read.
    -- By number: an index on the text itself costs a tenth of the INSERT.
    INDEX segment_number CAST(toUInt64OrZero(substring(segment, 10)), 'UInt64')
        TYPE minmax GRANULARITY 1
)
ENGINE = {{replicated}}ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(ts)
ORDER BY (device_id, key, ts)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 1209600,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    -- Merges column by column from the start: a fifth less processor time than row by row.
    vertical_merge_algorithm_min_columns_to_activate = 1;
