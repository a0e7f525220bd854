import { assert } from '../core/assert.js';
import { NodeError } from '../core/errors.js';
import type { ClickhouseClient } from './client.js';
import { rejectedColumns, tables, telemetryColumns } from './tables.js';

/** Rows of one journal segment that may or may not be in ClickHouse. */
export interface SegmentRows {
  /** The segment's name, which its rows carry in the column `segment`. */
  readonly name: string;
  /** The token with which these bytes were, or would have been, inserted. */
  readonly token: string;
  /** `tables.telemetry` or `tables.rejected`. */
  readonly table: string;
  readonly rows: number;
  /** Called up to twice. */
  readonly blocks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /**
   * True when `blocks` are all rows of the segment for this table: then a count can tell that
   * nothing is missing. False (the default) always compares row by row.
   */
  readonly wholeSegment?: boolean;
}

export interface Recovery {
  /** True when the repeated insert alone, or nothing, was needed. */
  readonly complete: boolean;
  /** Rows that had to be added beyond the repeated insert. */
  readonly added: number;
}

/**
 * Makes sure that every row of a segment is stored, once, after a store that is not replicated may
 * have stopped in the middle of the segment's INSERT. A killed store can hold some of the insert's
 * partitions, or none of them while it believes that it has the token, or the rows without what
 * the materialized views make of them. So:
 *
 *     1 the same INSERT with the same token        heals what the store knows to be missing
 *     2 count the segment's rows                   all there: go to 5
 *     3 the rows into a table of their own
 *     4 add those that the table lacks             without a token: the rows decide
 *     5 `latest` and the hours to sum up anew      from the rows; repeating that changes nothing
 *
 * Idempotent: it may be cut off anywhere and called again. Not for the same rows twice at a time.
 */
export async function recoverSegment(
  client: ClickhouseClient,
  segment: SegmentRows,
): Promise<Recovery> {
  assert(/^[0-9a-f]{8}-[0-9]{11}$/.test(segment.name), 'a segment has a name of 20 characters');
  const { table, token, rows, blocks } = segment;
  await client.insertNative(table, blocks(), { token, rows });
  const isTelemetry = table === tables.telemetry;
  const complete = segment.wholeSegment === true && (await stored(client, segment)) === rows;
  let added = 0;
  if (!complete) added = await addMissing(client, segment, isTelemetry);
  if (isTelemetry) await repairDerived(client, segment.name);
  return { complete: complete || added === 0, added };
}

/** The number is what the index `segment_number` of `telemetry` knows. */
const ofSegment = `segment = {name:String}
  AND CAST(toUInt64OrZero(substring(segment, 10)), 'UInt64')
    = toUInt64OrZero(substring({name:String}, 10))`;

/**
 * Rows of the segment that the table holds; two of one key count as one, as FINAL would have it.
 */
async function stored(client: ClickhouseClient, segment: SegmentRows): Promise<number> {
  const distinct = segment.table === tables.telemetry ? 'uniqExact(device_id, key, ts)' : 'count()';
  const [row] = await client.query<{ stored: string }>(
    `SELECT ${distinct} AS stored FROM ${segment.table} WHERE ${ofSegment}`,
    { name: segment.name },
    recoveryLimits,
  );
  return Number(row?.stored ?? 0);
}

async function addMissing(
  client: ClickhouseClient,
  segment: SegmentRows,
  isTelemetry: boolean,
): Promise<number> {
  const staging = `recovery_${segment.name.replace('-', '_')}_${segment.table}`;
  const order = isTelemetry ? '(device_id, key, ts)' : '(device_id, received_at)';
  await client.command(`DROP TABLE IF EXISTS ${staging} SYNC`);
  // A plain MergeTree keeps every row in the order of the insert where the key is the same.
  await client.command(
    `CREATE TABLE ${staging} AS ${segment.table} ENGINE = MergeTree ORDER BY ${order}`,
  );
  try {
    const { rows, token } = segment;
    await client.insertNative(staging, segment.blocks(), { token: `${token}-recovery`, rows });
    const held = await countOf(client, `SELECT count() AS n FROM ${staging}`);
    if (held !== rows) throw torn(segment, held);
    const missing = isTelemetry
      ? missingTelemetry(segment.table, staging)
      : missingMessages(segment.table, staging);
    const columns = isTelemetry ? telemetryColumns : rejectedColumns;
    const lacking = await countOf(client, `SELECT count() AS n FROM (${missing})`);
    if (lacking > 0) {
      const into = `INSERT INTO ${segment.table} (${columns})`;
      await client.command(`${into} SELECT ${columns} FROM (${missing})`, {}, insertSelectSettings);
    }
    return lacking;
  } finally {
    await client.command(`DROP TABLE IF EXISTS ${staging} SYNC`);
  }
}

/**
 * Staged rows that the table neither holds nor has replaced by a later arrival. Arrival is
 * (received_at, segment): among equal times the later segment won, and must go on winning.
 */
function missingTelemetry(table: string, staging: string): string {
  const columns = telemetryColumns.split(', ').map((name) => `s.${name} AS ${name}`);
  return `
SELECT ${columns.join(', ')}
FROM ${staging} AS s
LEFT ANY JOIN
(
    SELECT device_id, key, ts, max((received_at, toString(segment))) AS newest
    FROM ${table}
    WHERE device_id IN (SELECT device_id FROM ${staging})
      AND ts >= (SELECT min(ts) FROM ${staging})
      AND ts <= (SELECT max(ts) FROM ${staging})
      AND (device_id, key, ts) IN (SELECT device_id, key, ts FROM ${staging})
    GROUP BY device_id, key, ts
) AS t ON s.device_id = t.device_id AND s.key = t.key AND s.ts = t.ts
WHERE t.newest < (s.received_at, toString(s.segment))`;
}

/** Rejected messages have no key: the n-th of several equal rows is the n-th of them everywhere. */
function missingMessages(table: string, staging: string): string {
  const numbered = (from: string): string =>
    `SELECT *, row_number() OVER (PARTITION BY ${rejectedColumns}) AS n FROM ${from}`;
  const held = `(SELECT * FROM ${table} WHERE segment IN (SELECT segment FROM ${staging}))`;
  return `
SELECT ${rejectedColumns}
FROM (${numbered(staging)})
WHERE (${rejectedColumns}, n) NOT IN (SELECT ${rejectedColumns}, n FROM (${numbered(held)}))`;
}

/**
 * What the materialized views `latest_writer` and `telemetry_changed_writer` make of the segment's
 * rows, see schema/clickhouse. Both tables keep the greatest version, so repeating this is
 * harmless.
 */
async function repairDerived(client: ClickhouseClient, name: string): Promise<void> {
  const ms = (column: string): string => `toUInt128(toUnixTimestamp64Milli(${column}))`;
  await client.command(
    `INSERT INTO ${tables.latest}
SELECT device_id, key, ts, received_at, type, num, long, text,
    bitOr(
        bitOr(bitShiftLeft(${ms('ts')}, 80), bitShiftLeft(${ms('received_at')}, 32)),
        toUInt128(toUInt64OrZero(substring(segment, 10)) % 4294967296)
    ) AS version
FROM ${tables.telemetry}
WHERE ${ofSegment}
ORDER BY device_id DESC, key DESC, ts DESC, received_at DESC
LIMIT 1 BY device_id, key`,
    { name },
    insertSelectSettings,
  );
  await client.command(
    `INSERT INTO ${tables.changed}
SELECT
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(ts), 3600000) * 3600000, 'UTC') AS hour,
    device_id,
    toUInt64(toUnixTimestamp64Milli(now64(3))) * 2 AS mark
FROM ${tables.telemetry}
WHERE ${ofSegment}
GROUP BY hour, device_id`,
    { name },
    insertSelectSettings,
  );
}

async function countOf(client: ClickhouseClient, sql: string): Promise<number> {
  const [row] = await client.query<{ n: string }>(sql, {}, recoveryLimits);
  return Number(row?.n ?? 0);
}

const recoveryLimits = { rowsMax: 10, secondsMax: 180 };

/** One thread, so that rows keep their order; one block per partition, however many there are. */
const insertSelectSettings = Object.freeze({
  async_insert: '0',
  insert_deduplicate: '0',
  max_threads: '1',
  max_insert_threads: '1',
  max_partitions_per_insert_block: '0',
  throw_on_max_partitions_per_insert_block: '0',
  min_insert_block_size_rows: '2000000',
  min_insert_block_size_bytes: '0',
  max_execution_time: '180',
});

function torn(segment: SegmentRows, held: number): NodeError {
  return new NodeError(
    'SLUICE_JOURNAL_CORRUPT',
    `cannot recover segment ${segment.name}: it holds ${held} rows instead of ${segment.rows}`,
  );
}
