import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { verifyJournal } from '../../src/journal/inspect.js';
import { Journal } from '../../src/journal/journal.js';
import { journalDefaults } from '../../src/journal/options.js';
import { answerOf, record, textsOf } from '../unit/journal/world.js';

const kib = 1024;
const recoverWithinMs = 5_000;

/** Runs `work` in a file system of 8 MiB; says so, and fails in CI, where none can be mounted. */
async function onSmallDisk(t: TestContext, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'pipe' });
  } catch (thrown) {
    rmdirSync(folder);
    t.diagnostic(`NOT TESTED: a tmpfs cannot be mounted here (it takes root): ${String(thrown)}`);
    assert.notEqual(process.env['CI'], 'true', 'CI must be able to mount a tmpfs');
    return;
  }
  try {
    await work(folder);
  } finally {
    execFileSync('umount', [folder]);
    rmdirSync(folder);
  }
}

function openIn(folder: string, segmentBytes: number): Promise<Journal> {
  const directory = join(folder, 'journal');
  const options = { ...journalDefaults(directory), segmentBytes, quietMs: 5, busyMs: 20 };
  return Journal.open(systemClock(), silentLogger, createMetrics(), options);
}

/** A text of about 30 KiB that nothing else begins with. */
function textOf(number: number): string {
  return `${number} `.padEnd(30 * kib, 'x');
}

/** Appends until the journal refuses; returns the numbers that were acknowledged. */
async function fill(journal: Journal, from: number): Promise<number[]> {
  const acknowledged: number[] = [];
  for (let number = from; ; number += 1) {
    const answer = await answerOf(journal, [record(textOf(number))]);
    if (answer !== 'durable') {
      assert.equal(answer, 'SLUICE_JOURNAL_FULL');
      return acknowledged;
    }
    acknowledged.push(number);
    assert.ok(acknowledged.length < 1_000, 'eight mebibytes are full some time');
  }
}

async function shipOne(journal: Journal): Promise<number[]> {
  const segment = await journal.nextClosed();
  assert.ok(segment !== undefined);
  const texts = await textsOf(segment);
  await journal.release(segment);
  return texts.map((text) => {
    const number = Number.parseInt(text, 10);
    assert.equal(text, textOf(number), 'every byte is as it was appended');
    return number;
  });
}

async function readyAgain(journal: Journal): Promise<void> {
  const deadline = Date.now() + recoverWithinMs;
  while (!journal.ready().ready) {
    assert.ok(Date.now() < deadline, `not ready again: ${journal.ready().reason}`);
    await wait(20);
  }
}

for (const segmentBytes of [256 * kib, 1024 * kib]) {
  test(`a disk of 8 MiB gets full, segments of ${segmentBytes / kib} KiB`, async (t) => {
    await onSmallDisk(t, async (folder) => {
      let journal = await openIn(folder, segmentBytes);
      const acknowledged = await fill(journal, 1);
      t.diagnostic(`${acknowledged.length} records of 30 KiB fitted`);
      assert.ok(acknowledged.length * 30 * kib > 5_000_000, 'most of the disk is used');
      assert.equal(journal.ready().ready, false);
      assert.match(journal.ready().reason ?? '', /^the disk is full: /);

      // What is shipped makes room, by itself.
      const shipped = await shipOne(journal);
      await readyAgain(journal);
      acknowledged.push(...(await fill(journal, 10_001)));
      assert.ok(acknowledged.includes(10_001));

      // Somebody else fills the disk to the last byte; then frees it.
      while (shipped.length < 100) shipped.push(...(await shipOne(journal)));
      await readyAgain(journal);
      const other = join(folder, 'other');
      assert.throws(() => writeFileSync(other, Buffer.alloc(9_000_000)), { code: 'ENOSPC' });
      await wait(1_500);
      assert.equal(journal.ready().ready, false);
      assert.equal(await answerOf(journal, [record('late')]), 'SLUICE_JOURNAL_FULL');

      // A restart meanwhile neither fails nor loses anything.
      await journal.close();
      journal = await openIn(folder, segmentBytes);
      assert.equal(journal.ready().ready, false);
      rmSync(other);
      await readyAgain(journal);
      assert.equal(await answerOf(journal, [record(textOf(20_001))]), 'durable');
      acknowledged.push(20_001);

      while (shipped.length < acknowledged.length) shipped.push(...(await shipOne(journal)));
      assert.deepEqual(shipped, acknowledged, 'all that was acknowledged, once, in order');
      await journal.close();
      const report = await verifyJournal(join(folder, 'journal'));
      assert.ok(report.sound && report.unshippedBytes === 0 && report.quarantine.length === 0);
    });
  });
}
