import assert from 'node:assert/strict';
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EmbeddedClickhouse, type EmbeddedOptions } from '../../src/clickhouse/embedded.js';
import { systemClock } from '../../src/core/clock.js';
import { type ErrorCode, NodeError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { startClickhouse } from '../support/clickhouse.js';

const compiled = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function optionsIn(folder: string, port = 0): EmbeddedOptions {
  return {
    directory: join(folder, 'clickhouse'),
    passwordFile: join(folder, 'clickhouse.password'),
    host: '127.0.0.1',
    port,
    user: 'default',
    database: 'sluice',
    memoryBytesMax: 512 * 1024 * 1024,
    restartLongestMs: 200,
  };
}

async function starts(options: EmbeddedOptions): Promise<EmbeddedClickhouse> {
  return await EmbeddedClickhouse.start(systemClock(), silentLogger, options);
}

async function failsWith(options: EmbeddedOptions, code: ErrorCode): Promise<NodeError> {
  try {
    await (await starts(options)).close();
  } catch (error) {
    assert.ok(error instanceof NodeError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.remedy, '');
    return error;
  }
  assert.fail('it started');
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function query(embedded: EmbeddedClickhouse, sql: string): Promise<string> {
  const headers = { 'X-ClickHouse-Key': embedded.password };
  const response = await fetch(embedded.url, { method: 'POST', body: sql, headers });
  return await response.text();
}

function changes(embedded: EmbeddedClickhouse, wanted: boolean): Promise<void> {
  return new Promise((resolve) => {
    embedded.onChange((up) => {
      if (up === wanted) resolve();
    });
  });
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => child.once('exit', () => resolve()));

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  for (let tries = 0; tries < 600 && alive(pid); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.equal(alive(pid), false, 'the process ended within 15 s');
}

describe('the embedded ClickHouse', () => {
  it('keeps its password and its data, and knows that it was closed', async () => {
    await inFolder(async (folder) => {
      const options = optionsIn(folder);
      const first = await starts(options);
      assert.equal(first.uncleanStops, 0);
      assert.equal((await stat(options.passwordFile)).mode & 0o777, 0o600);
      assert.equal((await readFile(options.passwordFile, 'utf8')).trim(), first.password);
      assert.ok(first.password.length >= 32);
      await query(first, 'CREATE TABLE kept (a Int8) ENGINE = MergeTree ORDER BY a');
      await query(first, 'INSERT INTO kept VALUES (7)');
      await first.close();
      const second = await starts(options);
      assert.equal(second.password, first.password);
      assert.equal(second.uncleanStops, 0);
      assert.equal(await query(second, 'SELECT a FROM kept'), '7\n');
      await second.close();
    });
  });

  it('comes back on the same port after a crash, and counts it', async () => {
    const store = await startClickhouse({ restartLongestMs: 200 });
    const { embedded } = store;
    const { port, pid } = embedded;
    const down = changes(embedded, false);
    const up = changes(embedded, true);
    process.kill(pid ?? 0, 'SIGKILL');
    await down;
    assert.equal(embedded.up, false);
    assert.equal(embedded.uncleanStops, 1);
    await up;
    assert.equal(embedded.port, port);
    assert.notEqual(embedded.pid, pid);
    assert.equal(await store.sql('SELECT 1'), '1\n');
    await store.remove();
  });

  it('finishes what runs when it is closed, and on SIGTERM', async () => {
    const store = await startClickhouse();
    const { embedded } = store;
    await store.sql('CREATE TABLE slow (a UInt64) ENGINE = MergeTree ORDER BY a');
    const slow = store.sql(
      `INSERT INTO slow SELECT sleepEachRow(0.1) + number FROM numbers(8)
        SETTINGS max_block_size = 1`,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const up = changes(embedded, true);
    process.kill(embedded.pid ?? 0, 'SIGTERM');
    await slow;
    await up;
    assert.equal(embedded.uncleanStops, 0);
    assert.equal(await store.sql('SELECT count() FROM slow'), '8\n');
    await store.remove();
  });

  it('says that the store was not closed when the node before was killed with it', async () => {
    await inFolder(async (folder) => {
      const options = optionsIn(folder);
      const first = await starts(options);
      const down = changes(first, false);
      process.kill(first.pid ?? 0, 'SIGKILL');
      await down;
      await first.close();
      const second = await starts(options);
      assert.equal(second.uncleanStops, 1);
      await second.close();
    });
  });

  it('ends when the node is gone', async () => {
    await inFolder(async (folder) => {
      const script = join(folder, 'node.mjs');
      const embedded = join(compiled, 'src', 'clickhouse', 'embedded.js');
      const clock = join(compiled, 'src', 'core', 'clock.js');
      const logger = join(compiled, 'src', 'core', 'logger.js');
      await writeFile(
        script,
        `import { EmbeddedClickhouse } from ${JSON.stringify(embedded)};
         import { systemClock } from ${JSON.stringify(clock)};
         import { silentLogger } from ${JSON.stringify(logger)};
         const options = ${JSON.stringify(optionsIn(folder))};
         const store = await EmbeddedClickhouse.start(systemClock(), silentLogger, options);
         process.send(store.pid);`,
      );
      const node = fork(script, { stdio: 'ignore' });
      const pid = await new Promise<number>((resolve) =>
        node.once('message', (m) => resolve(Number(m))),
      );
      const end = ended(node);
      node.kill('SIGKILL');
      await end;
      // The next node waits for the process that is still closing, and finds it was closed.
      const next = await starts(optionsIn(folder));
      assert.equal(next.uncleanStops, 0);
      await gone(pid);
      await next.close();
    });
  });

  it('shares its folder with nobody', async () => {
    await inFolder(async (folder) => {
      const first = await starts(optionsIn(folder));
      const error = await failsWith(
        { ...optionsIn(folder), lockWithinMs: 300 },
        'SLUICE_DATA_LOCKED',
      );
      assert.match(error.message, /another process uses/);
      assert.equal(await query(first, 'SELECT 1'), '1\n');
      await first.close();
    });
  });

  it('says which port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await inFolder(async (folder) => {
      const error = await failsWith(optionsIn(folder, port), 'SLUICE_PORT_TAKEN');
      assert.match(error.message, new RegExp(`port ${port}`));
    });
    other.close();
  });

  it('says what to do when its folder or its password cannot be used', async () => {
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'clickhouse'), 'a file');
      await failsWith(optionsIn(folder), 'SLUICE_DATA_UNUSABLE');
      await writeFile(join(folder, 'clickhouse.password'), '\n');
      const error = await failsWith(optionsIn(folder), 'SLUICE_DATA_UNUSABLE');
      assert.match(error.message, /clickhouse\.password/);
    });
  });

  it('says what to install when the engine is missing', async () => {
    await inFolder(async (folder) => {
      // The same code in a place from which no node_modules can be found.
      for (const part of ['src/core', 'src/clickhouse', 'workers']) {
        await cp(join(compiled, part), join(folder, 'dist', part), { recursive: true });
      }
      await writeFile(join(folder, 'package.json'), '{"type":"module"}');
      await writeFile(
        join(folder, 'start.js'),
        `import { EmbeddedClickhouse } from './dist/src/clickhouse/embedded.js';
         const clock = { now: () => Date.now(), monotonic: () => performance.now() };
         const logger = { info() {}, warn() {}, error() {}, debug() {}, limited() {} };
         await EmbeddedClickhouse.start(clock, logger, ${JSON.stringify(optionsIn(folder))})
           .catch((error) => console.log(error.code, error.remedy));`,
      );
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'start.js')]);
      assert.equal(
        stdout.trim(),
        'SLUICE_BINARY_MISSING Run `npm install chdb`, ' +
          'or set clickhouse.url to use a ClickHouse server.',
      );
    });
  });
});
