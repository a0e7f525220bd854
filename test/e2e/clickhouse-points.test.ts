import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClickhouseClient } from '../../src/clickhouse/client.js';
import { type DeviceRow, writeDevices } from '../../src/clickhouse/devices.js';
import type { DeviceId } from '../../src/core/ids.js';
import {
  connectTo,
  migrateTo,
  startClickhouse,
  type TestClickhouse,
} from '../support/clickhouse.js';

const boiler = '5f0c9d1e-8f6a-4c7e-9d55-0123456789ab' as DeviceId;
const pump = '0b1f6c0a-1111-4222-8333-abcdefabcdef' as DeviceId;

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

const device = (name: string, id: DeviceId, version: number, deleted = false): DeviceRow => ({
  id,
  name,
  profile: 'default',
  label: '',
  enabled: true,
  gateway: false,
  version,
  deleted,
});

describe('points', () => {
  it('keep every type exactly', async () => {
    await insertRows([
      row(boiler, 't', '00:00:00', '00:00:01', "'double', 42, 0, ''"),
      row(boiler, 'n', '00:00:00', '00:00:01', "'long', 73, 0, ''"),
      row(
        boiler,
        'max',
        '00:00:00',
        '00:00:01',
        "'long', 9223372036854775807, 9223372036854775807, ''",
      ),
      row(
        boiler,
        'odd',
        '00:00:00',
        '00:00:01',
        "'long', -9007199254740993, -9007199254740993, ''",
      ),
      row(boiler, 'on', '00:00:00', '00:00:01', "'bool', 1, 0, ''"),
      row(boiler, 'off', '00:00:00', '00:00:01', "'bool', 0, 0, ''"),
      row(boiler, 's', '00:00:00', '00:00:01', "'string', 0, 0, 'héllo'"),
      row(boiler, 'j', '00:00:00', '00:00:01', `'json', 0, 0, '{"a" :[1,2.0]}'`),
      row(boiler, 'tiny', '00:00:00', '00:00:01', "'double', 5e-324, 0, ''"),
    ]);
    const rows = await client.query(
      `SELECT key, type, value, long, text FROM points WHERE device_id = {id:UUID} ORDER BY key`,
      { id: boiler },
    );
    assert.deepEqual(rows, [
      { key: 'j', type: 'json', value: null, long: null, text: '{"a" :[1,2.0]}' },
      {
        key: 'max',
        type: 'long',
        value: 2 ** 63,
        long: '9223372036854775807',
        text: '9223372036854775807',
      },
      { key: 'n', type: 'long', value: 73, long: '73', text: '73' },
      {
        key: 'odd',
        type: 'long',
        value: -9007199254740992,
        long: '-9007199254740993',
        text: '-9007199254740993',
      },
      { key: 'off', type: 'bool', value: 0, long: null, text: 'false' },
      { key: 'on', type: 'bool', value: 1, long: null, text: 'true' },
      { key: 's', type: 'string', value: null, long: null, text: 'héllo' },
      { key: 't', type: 'double', value: 42, long: null, text: '42' },
      { key: 'tiny', type: 'double', value: 5e-324, long: null, text: '5e-324' },
    ]);
  });

  it('have the columns that others rely on', async () => {
    const columns = async (table: string): Promise<string> =>
      await store.sql(`SELECT arrayStringConcat(groupArray(concat(name, ' ', type)), ', ')
        FROM (SELECT name, type FROM system.columns
          WHERE database = 'sluice' AND table = '${table}' ORDER BY position) FORMAT TSVRaw`);
    const types = "Enum8('bool' = 1, 'long' = 2, 'double' = 3, 'string' = 4, 'json' = 5)";
    const time = "DateTime64(3, 'UTC')";
    const points = [
      'device String, device_id UUID, key LowCardinality(String)',
      `ts ${time}, received_at ${time}, type ${types}`,
      'value Nullable(Float64), long Nullable(Int64), text String\n',
    ].join(', ');
    assert.equal(await columns('points'), points);
    assert.equal(await columns('points_latest'), points);
    assert.equal(
      await columns('rejected'),
      `device String, device_id UUID, received_at ${time}, protocol LowCardinality(String), ` +
        'topic String, reason String, payload String\n',
    );
  });

  it('show the later arrival before anything is merged, and so do the latest', async () => {
    await store.sql('SYSTEM STOP MERGES');
    const value = async (): Promise<string> =>
      await store.sql(`SELECT text FROM points WHERE device_id = '${pump}' AND key = 'v'
        UNION ALL SELECT text FROM points_latest WHERE device_id = '${pump}' AND key = 'v'`);
    await insertRows([row(pump, 'v', '01:00:00', '01:00:05', "'double', 1, 0, ''", 1)]);
    await insertRows([row(pump, 'v', '01:00:00', '01:00:09', "'double', 2, 0, ''", 3)]);
    assert.equal(await value(), '2\n2\n');
    // Stored later, but it had arrived before.
    await insertRows([row(pump, 'v', '01:00:00', '01:00:07', "'double', 3, 0, ''", 2)]);
    assert.equal(await value(), '2\n2\n');
    // The same millisecond: the later row of one block, then the later segment.
    await insertRows([
      row(pump, 'v', '01:00:00', '01:00:09', "'double', 4, 0, ''", 4),
      row(pump, 'v', '01:00:00', '01:00:09', "'long', 5, 0, ''", 4),
    ]);
    assert.equal(await value(), '5\n5\n');
    // An older point never becomes the latest.
    await insertRows([row(pump, 'v', '00:59:59', '02:00:00', "'double', 6, 0, ''", 5)]);
    const latest = `SELECT ts, text FROM points_latest WHERE device_id = '${pump}' AND key = 'v'`;
    assert.equal(await store.sql(latest), '2025-03-01 01:00:00.000\t5\n');
    await store.sql('SYSTEM START MERGES');
    await store.sql('OPTIMIZE TABLE telemetry FINAL');
    await store.sql('OPTIMIZE TABLE latest FINAL');
    assert.equal(await store.sql(latest), '2025-03-01 01:00:00.000\t5\n');
    assert.equal(
      await store.sql(`SELECT count() FROM telemetry WHERE device_id = '${pump}'`),
      '2\n',
    );
  });

  it('are found by the primary key through the view', async () => {
    await store.sql(`INSERT INTO telemetry SELECT reinterpretAsUUID(toUInt128(number % 100)), 'k',
      fromUnixTimestamp64Milli(toInt64(1740787200000 + number)), now64(3), 'double', 1, 0, '', ''
      FROM numbers(300000)`);
    const id = await store.sql('SELECT reinterpretAsUUID(toUInt128(42)) FORMAT TSVRaw');
    const granules = async (where: string, from = 'points'): Promise<[number, number]> => {
      const plan = await store.sql(
        `EXPLAIN indexes = 1 SELECT avg(value) FROM ${from} WHERE ${where} FORMAT TSVRaw`,
      );
      const key = /PrimaryKey[\s\S]*?Granules: (\d+)\/(\d+)/.exec(plan);
      assert.ok(key !== null, plan);
      return [Number(key[1]), Number(key[2])];
    };
    const check = async (where: string, from?: string): Promise<void> => {
      const [read, all] = await granules(where, from);
      assert.ok(all >= 36 && read <= 6, `${where}: ${read} of ${all}`);
    };
    await check(`device_id = '${id.trim()}'`);
    await check(`device_id = '${id.trim()}' AND key = 'k' AND ts < '2025-03-01 00:01:00'`);
    await writeDevices(client, [device('forty-two', id.trim() as DeviceId, 1)]);
    await check("device_id = (SELECT id FROM devices WHERE name = 'forty-two')");
    await check("key = 'k'", "points_of(device = 'forty-two')");
    assert.equal(
      await store.sql("SELECT count() FROM points WHERE device = 'forty-two'"),
      '3000\n',
    );
  });
});

describe('devices', () => {
  const named = async (): Promise<string> =>
    await store.sql(`SELECT DISTINCT device FROM points WHERE device_id = '${boiler}'`);

  it('give points their names, the newest version counting', async () => {
    assert.equal(await named(), '\n');
    await writeDevices(client, [device('boiler', boiler, 1)]);
    assert.equal(await named(), 'boiler\n');
    await writeDevices(client, [device('kessel', boiler, 3)]);
    await writeDevices(client, [device('late news', boiler, 2)]);
    assert.equal(await named(), 'kessel\n');
    assert.equal(await store.sql("SELECT count() FROM points WHERE device = 'boiler'"), '0\n');
    assert.equal(
      await store.sql(`SELECT * FROM devices WHERE id = '${boiler}'`),
      `${boiler}\tkessel\tdefault\t\ttrue\tfalse\n`,
    );
    await writeDevices(client, [device('kessel', boiler, 4, true)]);
    assert.equal(await named(), '\n');
    assert.equal(await store.sql(`SELECT count() FROM devices WHERE id = '${boiler}'`), '0\n');
    await writeDevices(client, []);
  });

  it('name rejected messages too', async () => {
    await writeDevices(client, [device('pump', pump, 1)]);
    await store.sql(`INSERT INTO rejected_messages VALUES
      ('${pump}', now64(3), 'http', 'v1/x', 'malformed JSON at byte 3', '{"a',
       '3fa94c01-00000000001')`);
    assert.equal(
      await store.sql('SELECT device, protocol, topic, reason, payload FROM rejected'),
      'pump\thttp\tv1/x\tmalformed JSON at byte 3\t{"a\n',
    );
  });
});
