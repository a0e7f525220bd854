import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createMetrics } from '../../../src/core/metrics.js';
import { Journal } from '../../../src/journal/journal.js';
import { journalDefaults } from '../../../src/journal/options.js';
import { RecordKind } from '../../../src/journal/record.js';
import { runIn } from '../../support/run-program.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-cli-journal-'));
const folder = join(directory, 'data', 'journal');
after(() => rmSync(directory, { recursive: true }));

const run = (...argv: string[]) => runIn(directory, ['journal', ...argv]);

/** One segment with a record of 3 rows in 100 bytes, left behind by a journal that was closed. */
before(async () => {
  await mkdir(folder, { recursive: true });
  const options = { ...journalDefaults(folder), segmentBytes: 256 * 1024 };
  const journal = await Journal.open(systemClock(), silentLogger, createMetrics(), options);
  const bytes = new Uint8Array(100).fill(7);
  const record = { kind: RecordKind.telemetry, rows: 3, bytes, segmentNameAt: -1 };
  await new Promise<void>((resolve) => journal.append([record], () => resolve()));
  await journal.close();
});

test('journal inspect lists what waits for ClickHouse', async () => {
  const { code, stdout, stderr } = await run('inspect');
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.match(stdout, /^segment +state +rows +bytes +condition\n/);
  assert.match(stdout, /^[0-9a-f]{8}-\d{11} +\w+ +3 +\d+ +sound$/m);
  assert.match(stdout, /\n3 rows in \d+ bytes wait for ClickHouse\nNo damage found\.\n$/);

  const report = JSON.parse((await run('inspect', '--json')).stdout);
  assert.equal(report.unshippedRows, 3);
  assert.equal(report.sound, true);
});

test('journal verify finds a damaged byte, which inspect does not read', async () => {
  assert.equal((await run('verify')).code, 0);
  const file = readdirSync(folder)[0];
  assert.ok(file !== undefined);
  // Page 0 is the header, a record's header has 32 bytes: this is in the middle of the payload.
  const handle = openSync(join(folder, file), 'r+');
  writeSync(handle, Uint8Array.of(0), 0, 1, 4096 + 32 + 50);
  closeSync(handle);
  assert.equal((await run('inspect')).code, 0);
  const { code, stdout } = await run('verify');
  assert.equal(code, 1);
  assert.match(stdout, /damaged: bytes 4096 to \d+\n/);
  assert.match(stdout, /\nThere is damage\.\n$/);
  assert.equal((await run('verify', '--json')).code, 1);
});

test('a directory without a journal is told', async () => {
  const { code, stderr } = await run('inspect', '--data-dir', 'absent');
  assert.equal(code, 1);
  assert.match(stderr, /^SLUICE_DATA_UNUSABLE: cannot read the journal in [^\n]+\n$/);
});
