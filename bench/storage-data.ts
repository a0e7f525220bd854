/** The rows and tables of `bench/storage.ts`. */

/**
 * SQL of one segment: ten keys per message (five doubles with two decimals, two longs, a counter, a
 * bool, a state that is JSON now and then), one message per device and tick of ten seconds, with
 * jitter of 400 ms in `ts` and of 150 ms until it arrived.
 */
export function segmentSelect(
  devices: number,
  firstTick: number,
  ticks: number,
  segment: number,
): string {
  return `
WITH
    intDiv(number, ${devices * 10}) + ${firstTick} AS tick,
    intDiv(number, 10) % ${devices} AS d,
    number % 10 AS k,
    cityHash64(d, tick) AS message,
    cityHash64(d, k, tick) AS noise,
    cityHash64(d, k) AS series,
    toInt64(1748736000000) + tick * 10000 + message % 400 AS ms
SELECT
    reinterpretAsUUID(
        toUInt128(cityHash64(d)) * toUInt128('18446744073709551616') + cityHash64(d, 1)
    ) AS device_id,
    ['temperature', 'humidity', 'pressure', 'voltage', 'current', 'rpm', 'errors', 'energy_wh',
        'running', 'state'][k + 1] AS key,
    fromUnixTimestamp64Milli(ms, 'UTC') AS ts,
    fromUnixTimestamp64Milli(toInt64(ms + 20 + intDiv(message, 65536) % 150), 'UTC')
        AS received_at,
    multiIf(k < 5, 'double', k < 8, 'long', k = 8, 'bool', noise % 20 = 0, 'json', 'string')
        AS type,
    toFloat64(multiIf(
        k < 5, round(20 + series % 100 + 10 * sin(tick / 200 + series % 7) + noise % 100 / 100, 2),
        k = 5, 1400 + noise % 200,
        k = 6, intDiv(noise % 1000, 997),
        k = 7, 1000000 + tick * 3 + noise % 3,
        k = 8, (intDiv(tick, 50) + d) % 2,
        0)) AS num,
    toInt64(0) AS long,
    multiIf(
        k = 9 AND noise % 20 = 0,
        concat('{"code":', toString(noise % 1000), ',"axis":["x","y"]}'),
        k = 9, ['idle', 'running', 'maintenance', 'fault'][1 + (intDiv(tick, 100) + d) % 4],
        '') AS text,
    '3fa94c01-${String(segment).padStart(11, '0')}' AS segment
FROM numbers(${ticks * devices * 10})`;
}

interface Codecs {
  ts: string;
  received: string;
  num: string;
  segment: string;
}

function blocksOf(mib: number): string {
  const bytes = mib * 1024 * 1024;
  return `SETTINGS (min_compress_block_size = ${bytes}, max_compress_block_size = ${bytes})`;
}

const shipped: Codecs = {
  ts: `CODEC(Delta(8), ZSTD(1)) ${blocksOf(1)}`,
  received: `CODEC(Delta(8), ZSTD(1)) ${blocksOf(1)}`,
  num: 'CODEC(ZSTD(1))',
  segment: '',
};

function columns(over: Partial<Codecs> = {}, withSegment = true): string {
  const { ts, received, num, segment } = { ...shipped, ...over };
  const type = "Enum8('bool' = 1, 'long' = 2, 'double' = 3, 'string' = 4, 'json' = 5)";
  const all = [
    'device_id UUID',
    'key LowCardinality(String)',
    `ts DateTime64(3, 'UTC') ${ts}`,
    `received_at DateTime64(3, 'UTC') ${received}`,
    `type ${type} CODEC(ZSTD(1))`,
    `num Float64 ${num}`,
    'long Int64 CODEC(ZSTD(1))',
    'text String CODEC(ZSTD(1))',
    ...(withSegment ? [`segment LowCardinality(String) ${segment}`] : []),
  ];
  return `(${all.join(', ')})`;
}

const sorted = 'PARTITION BY toYYYYMM(ts) ORDER BY (device_id, key, ts)';
const durable = `SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
  min_rows_to_fsync_after_merge = 1, vertical_merge_algorithm_min_columns_to_activate = 1`;

/** What the engine of `telemetry` costs. `nowhere` only reads: it is taken off the others. */
export const variantTables: Readonly<Record<string, string>> = {
  nowhere: `${columns()} ENGINE = Null`,
  plain: `${columns()} ENGINE = MergeTree ${sorted} ${durable}`,
  replacing: `${columns()} ENGINE = ReplacingMergeTree(received_at) ${sorted} ${durable}`,
  without_segment: `${columns({}, false)} ENGINE = ReplacingMergeTree(received_at)
    ${sorted} ${durable}`,
};

const codec = (over: Partial<Codecs>): string => `${columns(over)} ENGINE = MergeTree ${sorted}`;

const times = (both: string): string => codec({ ts: both, received: both });

/** The codecs that were tried; bytes only. */
export const codecTables: Readonly<Record<string, string>> = {
  ts_doubledelta: times(`CODEC(DoubleDelta, ZSTD(1)) ${blocksOf(1)}`),
  ts_zstd: times(`CODEC(ZSTD(1)) ${blocksOf(1)}`),
  ts_t64: times(`CODEC(T64, ZSTD(1)) ${blocksOf(1)}`),
  ts_blocks_64k: times('CODEC(Delta(8), ZSTD(1))'),
  ts_blocks_4m: times(`CODEC(Delta(8), ZSTD(1)) ${blocksOf(4)}`),
  num_gorilla: codec({ num: 'CODEC(Gorilla, ZSTD(1))' }),
  num_delta: codec({ num: 'CODEC(Delta(8), ZSTD(1))' }),
  num_lz4: codec({ num: 'CODEC(LZ4)' }),
  segment_zstd: codec({ segment: 'CODEC(ZSTD(1))' }),
};
