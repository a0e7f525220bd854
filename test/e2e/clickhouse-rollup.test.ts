import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClickhouseClient } from '../../src/clickhouse/client.js';
import { runRollup } from '../../src/clickhouse/rollup.js';
import { systemClock } from '../../src/core/clock.js';
import {
  connectTo,
  migrateTo,
  startClickhouse,
  type TestClickhouse,
} from '../support/clickhouse.js';

const clock = systemClock();
/** Rows of telemetry on the first of March 2025, arrived the same day. */
async function insertRows(rows: string[]): Promise<void> {
  await store.sql(`INSERT INTO telemetry VALUES ${rows.join(', ')}`);
}

const row = (device: string, key: string, ts: string, at: string, rest: string, n = 1): string =>
  `('${device}', '${key}', '2025-03-01 ${ts}', '2025-03-01 ${at}', ${rest},
    '3fa94c01-${String(n).padStart(11, '0')}')`;

let store: TestClickhouse;
let client: ClickhouseClient;

before(async () => {
  store = await startClickhouse();
  client = connectTo(store);
  await migrateTo(store);
});
after(async () => {
  await client.close();
  await store.remove();
});

describe('the hourly roll-up', () => {
  const meter = '11111111-2222-4333-8444-555555555555';
  const now = { ttlDays: 0, settleMs: -1000, runMs: 60_000 };
  const hours = async (): Promise<string> =>
    await store.sql(`SELECT key, toString(hour), points, numbers, sum, avg, min, max, last
      FROM points_hourly WHERE device_id = '${meter}' ORDER BY key, hour FORMAT CSV`);

  it('sums up hours that are over, and sums them up anew when they change', async () => {
    await insertRows([
      row(meter, 'v', '05:10:00', '05:10:01', "'double', 1, 0, ''"),
      row(meter, 'v', '05:20:00', '05:20:01', "'long', 3, 0, ''"),
      row(meter, 'v', '05:30:00', '05:30:01', "'string', 0, 0, 'x'"),
      row(meter, 'v', '06:00:00', '06:00:01', "'bool', 1, 0, ''"),
      row(meter, 's', '05:00:00', '05:00:01', "'string', 0, 0, 'only text'"),
    ]);
    // Too young to be looked at.
    await runRollup(client, clock);
    assert.equal(await hours(), '');
    const first = await runRollup(client, clock, now);
    assert.ok(first.pairs >= 2 && !first.more);
    assert.equal(
      await hours(),
      [
        '"s","2025-03-01 05:00:00.000",1,0,0,\\N,\\N,\\N,\\N',
        '"v","2025-03-01 05:00:00.000",3,2,4,2,1,3,3',
        '"v","2025-03-01 06:00:00.000",1,1,1,1,1,1,1',
        '',
      ].join('\n'),
    );
    assert.deepEqual(await runRollup(client, clock, now), { pairs: 0, more: false });
    // One row is replaced, one comes late.
    await insertRows([
      row(meter, 'v', '05:20:00', '07:00:00', "'double', 10, 0, ''"),
      row(meter, 'v', '05:59:59', '07:00:00', "'double', -1, 0, ''"),
    ]);
    assert.deepEqual(await runRollup(client, clock, now), { pairs: 1, more: false });
    assert.match(await hours(), /"v","2025-03-01 05:00:00\.000",4,3,10,3\.33\d+,-1,10,-1\n/);
  });

  it('leaves the hour that is not over, and hours older than the points', async () => {
    await store.sql(
      `INSERT INTO telemetry VALUES
        ('${meter}', 'now', now64(3), now64(3), 'double', 1, 0, '', '')`,
    );
    assert.deepEqual(await runRollup(client, clock, now), { pairs: 0, more: false });
    await insertRows([row(meter, 'old', '08:00:00', '08:00:01', "'double', 1, 0, ''")]);
    assert.deepEqual(await runRollup(client, clock, { ...now, ttlDays: 1 }), {
      pairs: 0,
      more: false,
    });
    assert.deepEqual(await runRollup(client, clock, now), { pairs: 1, more: false });
  });

  it('stops in time and says that there is more', async () => {
    await insertRows(
      ['2020-01-01', '2021-01-01', '2022-01-01'].map(
        (day) => `('${meter}', 'h', '${day} 00:00:00', now64(3), 'double', 1, 0, '', '')`,
      ),
    );
    assert.deepEqual(await runRollup(client, clock, { ...now, runMs: 0 }), {
      pairs: 1,
      more: true,
    });
    assert.deepEqual(await runRollup(client, clock, now), { pairs: 2, more: false });
  });
});
