import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createMetrics } from '../../../src/core/metrics.js';
import { verifyJournal } from '../../../src/journal/inspect.js';
import { Journal } from '../../../src/journal/journal.js';
import { nodeFs } from '../../../src/journal/node-fs.js';
import { journalDefaults } from '../../../src/journal/options.js';
import { appendAndWait, textsOf } from './world.js';

function inFolder(work: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
    try {
      await work(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

test(
  'thousands of vectors are written as one run of bytes',
  inFolder(async (folder) => {
    const path = join(folder, 'file');
    const file = await nodeFs.open(path, 'create');
    const buffers = Array.from({ length: 2_500 }, (_, index) => Buffer.from(`${index},`));
    await file.write([Buffer.alloc(20)], 0);
    await file.write(buffers, 5);
    await file.sync();
    const written = Buffer.concat([Buffer.alloc(5), ...buffers]);
    assert.deepEqual(readFileSync(path), written);
    const back = new Uint8Array(written.length + 50);
    assert.equal(await file.read(back, 0), written.length);
    assert.equal(await file.size(), written.length);
    await file.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await assert.rejects(nodeFs.open(path, 'create'), { code: 'EEXIST' });
  }),
);

test(
  'a journal on real files: appended, closed, opened, shipped, recycled',
  inFolder(async (folder) => {
    const options = {
      ...journalDefaults(folder),
      segmentBytes: 256 * 1024,
      quietMs: 5,
      busyMs: 20,
    };
    const open = () => Journal.open(systemClock(), silentLogger, createMetrics(), options);
    const first = await open();
    for (let number = 0; number < 20; number += 1) {
      assert.equal(await appendAndWait(first, `${number}`), 'durable');
    }
    await first.close();
    assert.equal((await verifyJournal(folder)).unshippedRows, 20);
    const second = await open();
    assert.equal(await appendAndWait(second, 'more'), 'durable');
    const texts: string[] = [];
    while (texts.length < 21) {
      const segment = await second.nextClosed();
      assert.ok(segment !== undefined);
      texts.push(...(await textsOf(segment)));
      await second.release(segment);
    }
    assert.deepEqual(texts, [...Array.from({ length: 20 }, (_, number) => `${number}`), 'more']);
    await second.close();
    const report = await verifyJournal(folder);
    assert.equal(report.unshippedBytes, 0);
    assert.ok(report.segments.every(({ state }) => state === 'free'));
  }),
);
