-- The newest point of every device and key. `version` orders by ts, then by arrival, then by the
-- number of the journal segment: 48, 48 and 32 bits.
CREATE TABLE IF NOT EXISTS {{database}}.latest {{on_cluster}}
(
    device_id   UUID,
    key         LowCardinality(String),
    ts          DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    type        Enum8('bool' = 1, 'long' = 2, 'double' = 3, 'string' = 4, 'json' = 5)
                CODEC(ZSTD(1)),
    num         Float64 CODEC(ZSTD(1)),
    long        Int64 CODEC(ZSTD(1)),
    text        String CODEC(ZSTD(1)),
    version     UInt128 CODEC(ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree(version)
ORDER BY (device_id, key)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 1209600,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

-- Each inserted block gives its newest row per series. Rows that tie in ts and arrival are told
-- apart by their place in the block, as `telemetry` itself does.
CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.latest_writer {{on_cluster}}
TO {{database}}.latest AS
SELECT
    device_id,
    key,
    ts,
    received_at,
    type,
    num,
    long,
    text,
    bitOr(
        bitOr(
            bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80),
            bitShiftLeft(toUInt128(toUnixTimestamp64Milli(received_at)), 32)
        ),
        toUInt128(toUInt64OrZero(substring(segment, 10)) % 4294967296)
    ) AS version
FROM {{database}}.telemetry
ORDER BY device_id DESC, key DESC, ts DESC, received_at DESC, rowNumberInAllBlocks() DESC
LIMIT 1 BY device_id, key;
