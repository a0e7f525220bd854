import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../../src/core/logger.js';
import { openSqliteFile } from '../../../src/registry/sqlite.js';
import { migrateSqlite } from '../../../src/registry/sqlite-migrate.js';
import { openSqliteRegistry } from '../../../src/registry/sqlite-registry.js';
import { applySqliteSettings } from '../../../src/registry/sqlite-settings.js';
import {
  ManualClock,
  openTestRegistry,
  RegistryProcess,
  soon,
  temporaryFolder,
} from '../../support/registry.js';
import { refuses } from './contract-test.js';

const open = (folder: string) => openSqliteRegistry(new ManualClock(), silentLogger, folder);

test('what was stored is there after closing and opening', async (t) => {
  const folder = temporaryFolder(t);
  const first = await open(folder);
  const { device } = await first.createDevice({ name: 'pump', token: 'chosen' });
  await first.close();
  await first.close();
  const second = await openTestRegistry(t, new ManualClock(), folder);
  assert.deepEqual(await second.findDevice(device.id), device);
  assert.equal((await second.readToken(device.id))?.token, 'chosen');
});

test('a closed registry refuses', async (t) => {
  const registry = await openTestRegistry(t);
  await registry.close();
  await refuses(registry.countDevices(), 'SLUICE_REGISTRY_FAILED', /count devices: .* closed/);
  await refuses(registry.createDevice({ name: 'x' }), 'SLUICE_REGISTRY_FAILED', /closed/);
});

test('every file is for its owner alone, also one that was not', async (t) => {
  const folder = temporaryFolder(t);
  const first = await open(folder);
  await first.createDevice({ name: 'pump' });
  const files = readdirSync(folder).sort();
  const expected = ['registry.sqlite', 'registry.sqlite-shm', 'registry.sqlite-wal', 'secret.key'];
  assert.deepEqual(files, expected);
  for (const file of files) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  await first.close();
  chmodSync(join(folder, 'registry.sqlite'), 0o644);
  await openTestRegistry(t, new ManualClock(), folder);
  assert.equal(statSync(join(folder, 'registry.sqlite')).mode & 0o777, 0o600);
});

test('a commit is synced to the disk and tables point at rows that exist', async (t) => {
  const folder = temporaryFolder(t);
  const registry = await openTestRegistry(t, new ManualClock(), folder);
  await registry.createDevice({ name: 'pump' });
  const file = await openSqliteFile(join(folder, 'registry.sqlite'), { lockWaitMs: 100 });
  t.after(() => file.close());
  assert.equal(file.pragma('journal_mode'), 'wal');
  applySqliteSettings(file);
  assert.equal(file.pragma('synchronous'), 2);
  assert.equal(file.pragma('foreign_keys'), 1);
  assert.equal(file.pragma('foreign_key_check'), undefined);
  assert.equal(file.pragma('integrity_check'), 'ok');
});

test('migrations are applied once, in order, whoever comes first', async (t) => {
  const folder = temporaryFolder(t);
  const schema = join(folder, 'schema');
  const path = join(folder, 'test.sqlite');
  const file = await openSqliteFile(path, { lockWaitMs: 100 });
  const other = await openSqliteFile(path, { lockWaitMs: 100 });
  t.after(() => file.close());
  t.after(() => other.close());
  const write = (name: string, sql: string): void => writeFileSync(join(schema, name), sql);
  mkdirSync(schema);
  write('002_b.sql', `INSERT INTO log VALUES ('b');`);
  write('001_a.sql', `CREATE TABLE log (name TEXT); INSERT INTO log VALUES ('a');`);
  write('notes.txt', 'not a migration');
  const both = await Promise.all([migrateSqlite(file, schema), migrateSqlite(other, schema)]);
  assert.deepEqual(both.flat().sort(), ['001_a.sql', '002_b.sql']);
  assert.deepEqual(await migrateSqlite(file, schema), []);
  write('003_c.sql', `INSERT INTO log VALUES ('c'); INSERT INTO missing VALUES (1);`);
  await refuses(
    migrateSqlite(file, schema),
    'SLUICE_REGISTRY_FAILED',
    /apply 003_c.sql: .*missing/,
  );
  const log = (): unknown => file.statement('SELECT name FROM log').pluck().all();
  assert.deepEqual(log(), ['a', 'b']);
  write('003_c.sql', `INSERT INTO log VALUES ('c');`);
  assert.deepEqual(await migrateSqlite(file, schema), ['003_c.sql']);
  assert.deepEqual(log(), ['a', 'b', 'c']);
});

test('the schema of a newer program is refused', async (t) => {
  const folder = temporaryFolder(t);
  await (await open(folder)).close();
  const file = await openSqliteFile(join(folder, 'registry.sqlite'), { lockWaitMs: 100 });
  file.pragma('user_version = 999');
  file.close();
  await refuses(open(folder), 'SLUICE_REGISTRY_FAILED', /its schema is version 999/);
});

test('a damaged file is refused with a remedy', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'registry.sqlite'), 'this is not a database, it only looks like one');
  await refuses(open(folder), 'SLUICE_REGISTRY_FAILED', /not a database/);
});

test('a missing or foreign native library is told with its remedy', async (t) => {
  const path = join(temporaryFolder(t), 'x.sqlite');
  const options = { lockWaitMs: 0 };
  const absent = () => Promise.reject(new Error("Cannot find package 'better-sqlite3'"));
  const missing = openSqliteFile(path, options, absent);
  await refuses(missing, 'SLUICE_BINARY_MISSING', /better-sqlite3 for Node v.*Cannot find package/);
  class Foreign {
    constructor() {
      throw Object.assign(new Error('NODE_MODULE_VERSION 999'), { code: 'ERR_DLOPEN_FAILED' });
    }
  }
  const foreign = async () => ({ default: Foreign }) as unknown as never;
  await refuses(openSqliteFile(path, options, foreign), 'SLUICE_BINARY_MISSING', /VERSION 999/);
});

test('while another process holds the lock, this one goes on and its change waits', async (t) => {
  const folder = temporaryFolder(t);
  const registry = await openTestRegistry(t, new ManualClock(), folder);
  await registry.createDevice({ name: 'there' });
  const holder = new RegistryProcess(t, folder, 'hold-write-lock');
  await holder.says('ready');
  let done = false;
  const created = registry.createDevice({ name: 'waiting' }).then(() => {
    done = true;
  });
  // Reading goes on, and so does everything else: a hundred turns of the event loop.
  for (let turn = 0; turn < 100; turn += 1) {
    assert.equal(await registry.countDevices(), 1);
    await new Promise((resume) => setImmediate(resume));
  }
  assert.equal(done, false);
  holder.go();
  await soon(created);
  assert.equal(await registry.countDevices(), 2);
});

test('a node beside an import in another process gets its turn', async (t) => {
  const folder = temporaryFolder(t);
  const registry = await openTestRegistry(t, new ManualClock(), folder);
  const { device } = await registry.createDevice({ name: 'there' });
  const importer = new RegistryProcess(t, folder, 'import');
  await importer.says('open');
  let running = true;
  const ended = importer.says('ready').finally(() => {
    running = false;
  });
  importer.go();
  let changes = 0;
  for (; running; changes += 1) {
    await registry.updateDevice(device.id, { label: `${changes}` });
    await new Promise((resume) => setImmediate(resume));
  }
  await ended;
  assert.equal(await registry.countDevices(), 1 + 20 * 1000);
  assert.ok(changes >= 20, `${changes} changes beside 20 transactions`);
});

test('a copy of the database shows no token', async (t) => {
  const folder = temporaryFolder(t);
  const registry = await openTestRegistry(t, new ManualClock(), folder);
  const canary = 'CanaryTokenThatNobodyMaySee0123456789';
  const { device } = await registry.createDevice({ name: 'pump', token: canary });
  await registry.rotateToken(device.id, `${canary}2`, 60_000);
  const imported = registry.importDevices({ dryRun: false });
  const row = { profile: undefined, label: undefined, gateway: undefined };
  await imported.add([{ name: 'imported', token: `${canary}3`, ...row }]);
  assert.equal((await registry.readToken(device.id))?.token, `${canary}2`);
  const look = (): void => {
    for (const file of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, file));
      for (const form of [canary, Buffer.from(canary).toString('base64').slice(0, 40)]) {
        assert.equal(bytes.includes(form), false, `${form} in ${file}`);
      }
    }
  };
  look();
  await registry.close();
  look();
  const copy = temporaryFolder(t);
  copyFileSync(join(folder, 'registry.sqlite'), join(copy, 'registry.sqlite'));
  const other = await openTestRegistry(t, new ManualClock(), copy);
  const shown = other.readToken(device.id);
  await refuses(shown, 'SLUICE_REGISTRY_FAILED', /the key file is missing/);
  await other.createDevice({ name: 'makes another key' });
  const still = other.readToken(device.id);
  await refuses(still, 'SLUICE_REGISTRY_FAILED', /not the one it was sealed with/);
});
