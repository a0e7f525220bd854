import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClickhouseClient } from '../../src/clickhouse/client.js';
import { classify } from '../../src/clickhouse/errors.js';
import { recoverSegment } from '../../src/clickhouse/recover.js';
import { runRollup } from '../../src/clickhouse/rollup.js';
import { tables } from '../../src/clickhouse/tables.js';
import { systemClock } from '../../src/core/clock.js';
import {
  connectTo,
  migrateTo,
  startClickhouse,
  type TestClickhouse,
} from '../support/clickhouse.js';
import { makeSegment, type TestSegment } from '../support/clickhouse-segments.js';
import { Random } from '../support/random.js';

const kills = Number(process.env['SLUICE_TEST_KILLS'] ?? 30);
/** Two at a time, as the shipper sends them. */
const inFlight = 2;

interface Lane {
  readonly segment: TestSegment;
  readonly table: 'telemetry' | 'rejected';
}

test(`${kills} kills of the store during inserts: none lost, none doubled`, async (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const store = await startClickhouse({ restartLongestMs: 100 });
  const client = connectTo(store);
  try {
    await migrateTo(store);
    const outcome = await killRounds(store, client, random);
    t.diagnostic(JSON.stringify({ ...outcome, segments: outcome.segments.length }));
    await assertExact(store, client, outcome.segments);
  } finally {
    await client.close();
    await store.remove();
  }
});

interface Done {
  recovered: number;
  /** Recoveries that found rows missing after the insert was repeated. */
  incomplete: number;
  added: number;
  recoveryMs: number;
  restartMs: number;
}

/** Rows and months of the segments of one round. */
const shapes = [
  [400, 1],
  [4_000, 12],
  [400, 1],
  [20_000, 3],
] as const;

/** Inserts segments until the store was killed often enough; each is stored before it is let go. */
async function killRounds(store: TestClickhouse, client: ClickhouseClient, random: Random) {
  const segments: TestSegment[] = [];
  const done: Done = { recovered: 0, incomplete: 0, added: 0, recoveryMs: 0, restartMs: 0 };
  while (store.embedded.uncleanStops < kills) {
    const lanes: Lane[] = [];
    for (const [rows, months] of shapes) {
      const segment = await makeSegment(store, segments.length, rows, months);
      segments.push(segment);
      lanes.push({ segment, table: 'telemetry' }, { segment, table: 'rejected' });
    }
    const wait = random.between(0, 150);
    const kill = setTimeout(() => process.kill(store.embedded.pid ?? 0, 'SIGKILL'), wait);
    await Promise.all(Array.from({ length: inFlight }, () => drain(store, client, lanes, done)));
    clearTimeout(kill);
  }
  return { ...done, segments, kills: store.embedded.uncleanStops };
}

/** One sender: takes segments until there are none; sends each until it is known to be stored. */
async function drain(
  store: TestClickhouse,
  client: ClickhouseClient,
  lanes: Lane[],
  done: Done,
): Promise<void> {
  for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
    const { segment } = lane;
    const { rows, blocks } = segment[lane.table];
    const before = store.embedded.uncleanStops;
    const token = `${segment.name}-${lane.table}`;
    for (;;) {
      try {
        if (store.embedded.uncleanStops === before) {
          await client.insertNative(tables[lane.table], blocks, { token, rows });
          if (store.embedded.uncleanStops === before) break;
        }
        const startedAt = performance.now();
        const { complete, added } = await recoverSegment(client, {
          name: segment.name,
          token,
          table: tables[lane.table],
          rows,
          blocks: () => blocks,
          wholeSegment: true,
        });
        done.recoveryMs += performance.now() - startedAt;
        done.recovered += 1;
        if (!complete) done.incomplete += 1;
        done.added += added;
        break;
      } catch (error) {
        const { verdict, message } = classify(error);
        assert.equal(verdict, 'retry', message);
        const since = performance.now();
        await cameUp(store);
        done.restartMs += performance.now() - since;
      }
    }
  }
}

async function cameUp(store: TestClickhouse): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    if (store.embedded.up) {
      const answer = await store.sql('SELECT 1').catch(() => '');
      if (answer === '1\n') return;
    }
    assert.ok(performance.now() < until, 'the store came back within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Compares with a table that holds the same blocks, inserted once and never disturbed. */
async function assertExact(
  store: TestClickhouse,
  client: ClickhouseClient,
  segments: readonly TestSegment[],
): Promise<void> {
  await store.sql(
    'CREATE TABLE wanted AS telemetry ENGINE = MergeTree ORDER BY (device_id, key, ts)',
  );
  await store.sql(
    'CREATE TABLE wanted_rejected AS rejected_messages ENGINE = MergeTree ORDER BY segment',
  );
  for (const { name, telemetry, rejected } of segments) {
    await client.insertNative('wanted', telemetry.blocks, { token: name, rows: telemetry.rows });
    await client.insertNative('wanted_rejected', rejected.blocks, {
      token: name,
      rows: rejected.rows,
    });
  }
  const same = async (columns: string, found: string, wanted: string): Promise<void> => {
    const digest = (from: string): string =>
      `SELECT count(), sum(cityHash64(${columns})), groupBitXor(cityHash64(${columns}))
        FROM (${from})`;
    const expected = await store.sql(digest(wanted));
    assert.notEqual(expected.split('\t')[0], '0');
    assert.equal(await store.sql(digest(found)), expected, found);
  };
  const columns = 'device_id, key, ts, received_at, type, num, long, text';
  const newest = `SELECT * FROM wanted
    ORDER BY device_id, key, ts, received_at DESC, num DESC LIMIT 1 BY device_id, key, ts`;
  await same(`${columns}, segment`, 'SELECT * FROM telemetry FINAL', newest);
  // No row was stored twice, even before the engine merges them away.
  const twice = 'count() - uniqExact(device_id, key, ts, received_at, segment, num)';
  assert.equal(await store.sql(`SELECT ${twice} FROM telemetry`), '0\n');
  await same(
    columns,
    'SELECT * FROM latest FINAL',
    `SELECT * FROM (${newest}) ORDER BY ts DESC LIMIT 1 BY device_id, key`,
  );
  await same('*', 'SELECT * FROM rejected_messages', 'SELECT * FROM wanted_rejected');
  await runRollup(client, systemClock(), { ttlDays: 0, settleMs: -1000, runMs: 60_000 });
  const hour = 'intDiv(toUnixTimestamp64Milli(ts), 3600000) * 3600000';
  await same(
    'device_id, key, hour, points, numbers, sum, min, max',
    'SELECT * FROM telemetry_hourly FINAL',
    `SELECT device_id, key, fromUnixTimestamp64Milli(${hour}, 'UTC') AS hour,
       toUInt32(count()) AS points, points AS numbers, sum(num) AS sum, min(num) AS min,
       max(num) AS max
     FROM (${newest}) GROUP BY device_id, key, hour`,
  );
}
