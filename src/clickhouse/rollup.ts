import type { Clock } from '../core/clock.js';
import type { ClickhouseClient } from './client.js';
import { tables } from './tables.js';

export interface RollupOptions {
  /** Age at which points are deleted, 0: never. Older hours are not computed from what is left. */
  readonly ttlDays: number;
  /** How long after a change its hour is summed up; longer than any INSERT may take. */
  readonly settleMs: number;
  /** Stops after the statement that exceeds this; the rest is for the next call. */
  readonly runMs: number;
}

export interface RollupResult {
  /** Pairs of device and hour that were computed anew. */
  readonly pairs: number;
  /** True when there is more to do at once. */
  readonly more: boolean;
}

const rollupDefaults: RollupOptions = Object.freeze({
  ttlDays: 0,
  settleMs: 240_000,
  runMs: 10_000,
});

interface ChangedHour {
  /** Milliseconds since 1970. */
  readonly hour: number;
  readonly devices: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const hoursPerRun = 5_000;
const pairsPerStatement = 20_000;
/** Few devices with much history: their hours of a month in one statement. */
const sparseDevices = 4;
const sparseSpanMs = 31 * dayMs;

/**
 * Sums up the hours that are over and have changed since. An hour is computed anew as a whole from
 * the points as FINAL shows them, so replaced and late points are counted rightly, and repeating a
 * run changes nothing.
 *
 * Only changes older than `settleMs` are looked at: a mark is written before the rows it stands for
 * become visible, and after that time the INSERT of both has ended. All times are the server's.
 * `clock` only bounds the run. Rejects with the error of ClickHouse; the marks stay then.
 */
export async function runRollup(
  client: ClickhouseClient,
  clock: Clock,
  options: RollupOptions = rollupDefaults,
): Promise<RollupResult> {
  const [server] = await client.query<{ now: string }>(
    'SELECT toUnixTimestamp64Milli(now64(3)) AS now',
  );
  const now = Number(server?.now ?? 0);
  const before = (now - options.settleMs) * 2;
  const oldest = options.ttlDays === 0 ? 0 : now - options.ttlDays * dayMs;
  const hours = await readChanged(client, before, oldest, now - hourMs);
  const until = clock.monotonic() + options.runMs;
  let pairs = 0;
  for (const group of groupHours(hours)) {
    await computeHours(client, { ...group, before, version: now });
    pairs += group.pairs;
    if (clock.monotonic() >= until) return { pairs, more: true };
  }
  return { pairs, more: hours.length === hoursPerRun };
}

/** Hours with unsummed changes, oldest first. */
async function readChanged(
  client: ClickhouseClient,
  before: number,
  oldest: number,
  newest: number,
): Promise<ChangedHour[]> {
  const rows = await client.query<{ at: string; devices: string }>(
    `SELECT toUnixTimestamp64Milli(hour) AS at, count() AS devices
FROM ${tables.changed} FINAL
WHERE mark % 2 = 0 AND mark < {before:UInt64}
  AND hour >= fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')
  AND hour <= fromUnixTimestamp64Milli({newest:Int64}, 'UTC')
GROUP BY hour
ORDER BY hour
LIMIT {hours:UInt32}`,
    { before, oldest, newest, hours: hoursPerRun },
  );
  return rows.map((row) => ({ hour: Number(row.at), devices: Number(row.devices) }));
}

interface HourGroup {
  readonly from: number;
  readonly to: number;
  readonly pairs: number;
}

/**
 * Joins neighbouring hours into one statement each. The statement reads all devices of the group
 * over its whole span, so the span is a day at most unless there are few devices.
 */
export function groupHours(hours: readonly ChangedHour[]): HourGroup[] {
  const groups: HourGroup[] = [];
  let open: HourGroup | undefined;
  for (const { hour, devices } of hours) {
    if (open !== undefined) {
      const span = devices <= sparseDevices && open.pairs <= sparseDevices * 744;
      const near = span
        ? hour - open.from < sparseSpanMs
        : Math.floor(hour / dayMs) === Math.floor(open.from / dayMs);
      if (near && open.pairs + devices <= pairsPerStatement) {
        open = { from: open.from, to: hour, pairs: open.pairs + devices };
        continue;
      }
      groups.push(open);
    }
    open = { from: hour, to: hour, pairs: devices };
  }
  if (open !== undefined) groups.push(open);
  return groups;
}

async function computeHours(
  client: ClickhouseClient,
  group: HourGroup & { readonly before: number; readonly version: number },
): Promise<void> {
  const { from, to, before, version } = group;
  const parameters = { from, to, end: to + hourMs, before, version };
  const changed = `
    FROM ${tables.changed} FINAL
    WHERE mark % 2 = 0 AND mark < {before:UInt64}
      AND hour >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
      AND hour <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')`;
  const isNumber = `type NOT IN ('string', 'json')`;
  await client.command(
    `INSERT INTO ${tables.hourly}
SELECT
    key,
    device_id,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(ts), 3600000) * 3600000, 'UTC') AS hour,
    count() AS points,
    countIf(${isNumber}) AS numbers,
    sumIf(num, ${isNumber}) AS sum,
    if(numbers = 0, 0, minIf(num, ${isNumber})) AS min,
    if(numbers = 0, 0, maxIf(num, ${isNumber})) AS max,
    if(numbers = 0, 0, argMaxIf(num, ts, ${isNumber})) AS last,
    {version:UInt64} AS version
FROM ${tables.telemetry} FINAL
WHERE ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
  AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
  AND device_id IN (SELECT device_id ${changed})
  AND (device_id, hour) IN (SELECT device_id, hour ${changed})
GROUP BY key, device_id, hour`,
    parameters,
    rollupSettings,
  );
  // The marks that were summed up, and not those that came meanwhile: their `mark` is greater.
  await client.command(
    `INSERT INTO ${tables.changed} SELECT hour, device_id, mark + 1 ${changed}`,
    parameters,
    rollupSettings,
  );
}

/** The roll-up never takes more than one processor and a quarter of a gigabyte from the rest. */
const rollupSettings = Object.freeze({
  async_insert: '0',
  insert_deduplicate: '0',
  max_threads: '1',
  max_insert_threads: '1',
  max_partitions_per_insert_block: '0',
  max_memory_usage: String(256 * 1024 * 1024),
  max_bytes_before_external_group_by: String(96 * 1024 * 1024),
  max_execution_time: '120',
});
