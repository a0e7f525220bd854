-- Device and hour of every point that came in since the hour was last summed up.
-- `mark` is the millisecond of the change times two; odd: summed up.
CREATE TABLE IF NOT EXISTS {{database}}.telemetry_changed {{on_cluster}}
(
    hour      DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    device_id UUID,
    mark      UInt64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree(mark)
ORDER BY (hour, device_id)
TTL toDateTime(fromUnixTimestamp64Milli(toInt64(intDiv(mark, 2)), 'UTC')) + INTERVAL 2 DAY
    DELETE WHERE mark % 2 = 1
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 1209600,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.telemetry_changed_writer {{on_cluster}}
TO {{database}}.telemetry_changed AS
SELECT
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(ts), 3600000) * 3600000, 'UTC') AS hour,
    device_id,
    toUInt64(toUnixTimestamp64Milli(now64(3))) * 2 AS mark
FROM {{database}}.telemetry
GROUP BY hour, device_id;

-- Sums per device, key and hour, computed anew from the points whenever an hour that is over has
-- changed (src/clickhouse/rollup.ts). `points` counts all types, `numbers` those with a number.
CREATE TABLE IF NOT EXISTS {{database}}.telemetry_hourly {{on_cluster}}
(
    key       LowCardinality(String),
    device_id UUID,
    hour      DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    points    UInt32 CODEC(ZSTD(1)),
    numbers   UInt32 CODEC(ZSTD(1)),
    sum       Float64 CODEC(ZSTD(1)),
    min       Float64 CODEC(ZSTD(1)),
    max       Float64 CODEC(ZSTD(1)),
    last      Float64 COMMENT 'the last number of the hour' CODEC(ZSTD(1)),
    version   UInt64 COMMENT 'millisecond of the computation' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (key, device_id, hour)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
