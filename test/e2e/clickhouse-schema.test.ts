import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ClickhouseClient } from '../../src/clickhouse/client.js';
import { type MigrateOptions, migrate } from '../../src/clickhouse/migrate.js';
import { fillTemplate, splitStatements } from '../../src/clickhouse/statements.js';
import { silentLogger } from '../../src/core/logger.js';
import {
  connectTo,
  schemaFolder,
  startClickhouse,
  type TestClickhouse,
} from '../support/clickhouse.js';

let store: TestClickhouse;
let outside: ClickhouseClient;

before(async () => {
  store = await startClickhouse();
  outside = connectTo(store, '');
});
after(async () => {
  await outside.close();
  await store.remove();
});

const migrations = (over: Partial<MigrateOptions> = {}): MigrateOptions => ({
  folder: schemaFolder,
  database: 'sluice',
  cluster: undefined,
  ttlDays: 0,
  ...over,
});

describe('migrations', () => {
  it('are applied once, in order, and say so', async () => {
    const lines: string[] = [];
    const logger = { ...silentLogger, info: (event: string) => lines.push(event) };
    const first = await migrate(outside, logger, migrations({ database: 'other' }));
    assert.deepEqual(
      first.map(({ name, outcome }) => `${outcome} ${name}`),
      [
        'applied 001_telemetry.sql',
        'applied 002_latest.sql',
        'applied 003_hourly.sql',
        'applied 004_devices.sql',
        'applied 005_rejected.sql',
        'applied 006_views.sql',
      ],
    );
    assert.deepEqual(new Set(lines), new Set(['clickhouse.migrated']));
    const again = await migrate(outside, silentLogger, migrations({ database: 'other' }));
    assert.ok(again.every(({ outcome }) => outcome === 'present'));
    assert.equal(again.length, 6);
  });

  it('run at the same time from two nodes', async () => {
    const two = migrations({ database: 'two' });
    await Promise.all([migrate(outside, silentLogger, two), migrate(outside, silentLogger, two)]);
  });

  it('set and lift the age of points', async () => {
    const ttl = async (): Promise<boolean> =>
      (await store.sql('SHOW CREATE TABLE other.telemetry')).includes('toIntervalDay(90)');
    const aged = migrations({ database: 'other', ttlDays: 90 });
    const [last] = (await migrate(outside, silentLogger, aged)).slice(-1);
    assert.deepEqual(last, { name: 'telemetry_ttl_days', outcome: 'applied' });
    assert.equal(await ttl(), true);
    assert.equal((await migrate(outside, silentLogger, aged)).length, 6);
    await migrate(outside, silentLogger, migrations({ database: 'other' }));
    assert.equal(await ttl(), false);
  });

  it('drop whole months that are too old, and nothing dated far ahead', async () => {
    await migrate(outside, silentLogger, migrations({ database: 'aged', ttlDays: 90 }));
    const values = ['2001-01-01', '2199-01-01'].map(
      (day) => `(generateUUIDv4(), 'a', '${day} 00:00:00', now64(3), 'double', 1, 0, '', 's')`,
    );
    await store.sql(`INSERT INTO aged.telemetry VALUES ${values.join(', ')}`);
    await store.sql('OPTIMIZE TABLE aged.telemetry FINAL');
    assert.equal(await store.sql('SELECT toYear(ts) FROM aged.telemetry'), '2199\n');
  });

  it('are SQL in their form for a cluster too', async () => {
    const values = {
      database: '`sluice`',
      on_cluster: 'ON CLUSTER `main`',
      replicated: 'Replicated',
    };
    for (const file of (await readdir(schemaFolder)).sort()) {
      if (!file.endsWith('.sql')) continue;
      for (const statement of splitStatements(await readFile(join(schemaFolder, file), 'utf8'))) {
        const sql = fillTemplate(statement, values);
        const [row] = await outside.query<{ sql: string }>(
          'SELECT formatQuery({sql:String}) AS sql',
          {
            sql,
          },
        );
        assert.match(row?.sql ?? '', /ON CLUSTER `?main`?/);
        if (/ENGINE/.test(sql)) assert.match(row?.sql ?? '', /ENGINE = Replicated\w*MergeTree/);
      }
    }
  });

  it('refuse a file that was changed after it was applied', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'sluice-schema-'));
    await cp(schemaFolder, copy, { recursive: true });
    const options = migrations({ folder: copy, database: 'changed' });
    await migrate(outside, silentLogger, options);
    await writeFile(join(copy, '004_devices.sql'), 'SELECT 1;\n');
    await assert.rejects(migrate(outside, silentLogger, options), /004_devices\.sql was applied/);
    await rm(copy, { recursive: true });
  });
});
