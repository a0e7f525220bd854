import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClickhouseClient } from '../../src/clickhouse/client.js';
import { recoverSegment } from '../../src/clickhouse/recover.js';
import {
  connectTo,
  migrateTo,
  startClickhouse,
  type TestClickhouse,
} from '../support/clickhouse.js';
import { makeSegment } from '../support/clickhouse-segments.js';

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

/** Of all rows that a segment ends up as. */
async function digest(): Promise<string> {
  const of = (table: string): Promise<string> =>
    store.sql(`SELECT count(), sum(cityHash64(*)) FROM ${table}`);
  return [
    await of('telemetry FINAL'),
    await of('latest FINAL'),
    await of('rejected_messages'),
  ].join();
}

describe('a segment', () => {
  it('is one insert, however many months it spans, and its token is known again', async () => {
    await store.sql('TRUNCATE TABLE telemetry');
    const { telemetry } = await makeSegment(store, 0, 3000, 290);
    for (let repeat = 0; repeat < 2; repeat += 1) {
      await client.insertNative('telemetry', telemetry.blocks, {
        token: 'many',
        rows: telemetry.rows,
      });
    }
    assert.equal(
      await store.sql('SELECT uniqExact(toYYYYMM(ts)), count() FROM telemetry'),
      '290\t3000\n',
    );
    assert.equal(
      await store.sql(
        `SELECT count() FROM system.parts
          WHERE table = 'telemetry' AND active AND database = 'sluice' AND level > 1`,
      ),
      '0\n',
    );
  });

  it('of a million rows is one part', async () => {
    await store.sql('TRUNCATE TABLE telemetry');
    const { telemetry } = await makeSegment(store, 1, 1_000_000, 1);
    await client.insertNative('telemetry', telemetry.blocks, {
      token: 'million',
      rows: telemetry.rows,
    });
    const blocks = 'SELECT uniqExact(min_block_number) FROM system.parts';
    assert.equal(
      await store.sql(`${blocks} WHERE table = 'telemetry' AND active AND database = 'sluice'`),
      '1\n',
    );
  });

  it('is made whole when the store knows its token but has lost its rows', async () => {
    for (const lost of ['a month', 'all', 'nothing'] as const) {
      await store.sql('TRUNCATE TABLE telemetry');
      await store.sql('TRUNCATE TABLE latest');
      await store.sql('TRUNCATE TABLE rejected_messages');
      const segment = await makeSegment(store, 7, 4000, 12);
      const token = `${segment.name}-${lost}`;
      const { telemetry, rejected } = segment;
      await client.insertNative('telemetry', telemetry.blocks, { token, rows: telemetry.rows });
      await client.insertNative('rejected_messages', rejected.blocks, {
        token,
        rows: rejected.rows,
      });
      const whole = await digest();
      // Rows go, the log of tokens stays: what a kill between the two leaves behind.
      if (lost === 'a month') await store.sql('DELETE FROM telemetry WHERE toYYYYMM(ts) = 202012');
      if (lost === 'all') {
        await store.sql('DELETE FROM telemetry WHERE 1');
        await store.sql(
          "ALTER TABLE rejected_messages DELETE WHERE topic = 'v1/1' SETTINGS mutations_sync = 2",
        );
      }
      if (lost !== 'nothing') await store.sql('TRUNCATE TABLE latest');
      for (const table of ['telemetry', 'rejected_messages'] as const) {
        const { rows, blocks } = table === 'telemetry' ? telemetry : rejected;
        const outcome = await recoverSegment(client, {
          name: segment.name,
          token,
          table,
          rows,
          blocks: () => blocks,
        });
        const expected: Record<string, [number, number]> = {
          'a month': [321, 0],
          all: [4000, 2],
          nothing: [0, 0],
        };
        const added = (expected[lost] ?? [0, 0])[table === 'telemetry' ? 0 : 1];
        assert.deepEqual(outcome, { complete: added === 0, added }, `${lost} ${table}`);
      }
      assert.equal(await digest(), whole, lost);
      assert.equal(
        await store.sql("SELECT count() FROM system.tables WHERE name LIKE 'recovery%'"),
        '0\n',
      );
    }
  });

  it('that is recovered late does not take the place of later rows', async () => {
    await store.sql('TRUNCATE TABLE telemetry');
    const early = await makeSegment(store, 20, 400, 1);
    const late = await makeSegment(store, 21, 400, 1);
    await client.insertNative('telemetry', late.telemetry.blocks, { token: 'late', rows: 400 });
    const before = await store.sql(
      "SELECT sum(cityHash64(*)) FROM telemetry FINAL WHERE segment LIKE '%21'",
    );
    const recovery = await recoverSegment(client, {
      name: early.name,
      token: 'early',
      table: 'telemetry',
      rows: 400,
      blocks: () => early.telemetry.blocks,
      wholeSegment: true,
    });
    assert.equal(recovery.added, 0);
    assert.equal(
      await store.sql("SELECT sum(cityHash64(*)) FROM telemetry FINAL WHERE segment LIKE '%21'"),
      before,
    );
  });

  it('half of which is in is completed even if a count could be taken for all of it', async () => {
    await store.sql('TRUNCATE TABLE telemetry');
    const { name, telemetry } = await makeSegment(store, 30, 400, 1);
    const [first, second] = telemetry.blocks;
    assert.ok(first !== undefined && second !== undefined);
    await client.insertNative('telemetry', [first], { token: 'half-1', rows: 200 });
    const recovery = await recoverSegment(client, {
      name,
      token: 'half-2',
      table: 'telemetry',
      rows: 200,
      blocks: () => [second],
    });
    assert.deepEqual(recovery, { complete: true, added: 0 });
    assert.equal(await store.sql('SELECT count() FROM telemetry FINAL'), '396\n');
  });
});
