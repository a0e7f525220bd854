import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultFs } from '../../support/fault-fs.js';
import { settled } from './virtual-time.js';
import { appendAndWait, drain, openWorld, takeWithin } from './world.js';

const kib = 1024;

test('below the reserve nothing is written; when space is freed it goes on by itself', async () => {
  const world = await openWorld({ reserveFraction: 0.05 }, new FaultFs(() => 0, 1000 * kib));
  const { fs, journal, time } = world;
  assert.equal(await appendAndWait(journal, 'a'), 'durable');
  await settled();
  fs.othersBytes = 1000 * kib - 60 * kib - 10 * kib;
  await time.advance(1_000);
  assert.equal(journal.ready().ready, false);
  assert.match(
    journal.ready().reason ?? '',
    /^the disk is full: \d+ bytes are available in \/journal, the reserve is 51200$/,
  );
  const writes = fs.writes;
  assert.equal(await appendAndWait(journal, 'b'), 'SLUICE_JOURNAL_FULL');
  assert.equal(fs.writes, writes);
  fs.othersBytes = 0;
  await time.advance(1_000);
  assert.deepEqual(journal.ready(), { ready: true, reason: undefined });
  assert.equal(await appendAndWait(journal, 'c'), 'durable');
  assert.deepEqual(await drain(world), ['a', 'c']);
  await journal.close();
});

test('at bytesMax appends are refused until a segment is released', async () => {
  const world = await openWorld({ bytesMax: 60 * kib });
  const { journal } = world;
  const text = 'x'.repeat(15_000);
  assert.equal(await appendAndWait(journal, `1${text}`), 'durable');
  assert.equal(await appendAndWait(journal, `2${text}`), 'durable');
  assert.equal(await appendAndWait(journal, `3${text}`), 'durable');
  assert.equal(await appendAndWait(journal, `4${text}`), 'SLUICE_JOURNAL_FULL');
  assert.match(journal.ready().reason ?? '', /journal is full: .* 61440 \(journal\.bytesMax\)/);
  const segment = await takeWithin(world, 0);
  assert.ok(segment !== undefined);
  await journal.release(segment);
  assert.equal(journal.ready().ready, true);
  assert.equal(await appendAndWait(journal, `5${text}`), 'durable');
  assert.equal(journal.counters().usedBytes, 60 * kib);
  assert.deepEqual(
    (await drain(world)).map((found) => found[0]),
    ['2', '3', '5'],
  );
  await journal.close();
});

test('no room for a new segment: the partial file is removed, what is there goes on', async () => {
  const world = await openWorld({}, new FaultFs(() => 0, 50 * kib));
  const { fs, journal, time } = world;
  const text = 'x'.repeat(15_000);
  assert.equal(await appendAndWait(journal, `1${text}`), 'durable');
  assert.equal(await appendAndWait(journal, `2${text}`), 'durable');
  assert.equal(await appendAndWait(journal, `3${text}`), 'SLUICE_JOURNAL_FULL');
  await settled();
  assert.ok(!fs.paths().some((path) => path.endsWith('.new')), `${fs.paths()}`);
  assert.deepEqual(
    (await drain(world)).map((found) => found[0]),
    ['1', '2'],
  );
  await time.advance(200);
  assert.equal(journal.ready().ready, true);
  assert.equal(await appendAndWait(journal, `4${text}`), 'durable');
  await journal.close();
});

test('ENOSPC in the middle of preallocation cleans up and says full', async () => {
  const fs = new FaultFs(() => 0, 1024 * kib);
  // The file system tells of room that it does not have, as one with quotas does.
  fs.space = () => Promise.resolve({ totalBytes: 1 << 30, availableBytes: 1 << 30 });
  fs.othersBytes = 1024 * kib - 10 * kib;
  const world = await openWorld({}, fs);
  assert.equal(world.journal.ready().ready, false);
  assert.equal(await appendAndWait(world.journal, 'a'), 'SLUICE_JOURNAL_FULL');
  await settled();
  assert.deepEqual(fs.paths(), []);
  fs.othersBytes = 0;
  await world.time.advance(1_000);
  assert.equal(await appendAndWait(world.journal, 'b'), 'durable');
  await world.journal.close();
});

test('a journal on a full disk opens, ships what it has, and accepts again', async () => {
  const first = await openWorld();
  assert.equal(await appendAndWait(first.journal, 'a'), 'durable');
  await settled();
  const fs = first.fs.killProcess();
  fs.othersBytes = 1024 * kib;
  const world = await openWorld({ reserveFraction: 0.05 }, fs);
  assert.equal(world.journal.ready().ready, false);
  assert.deepEqual(await drain(world), ['a']);
  assert.equal(await appendAndWait(world.journal, 'b'), 'SLUICE_JOURNAL_FULL');
  fs.othersBytes = 0;
  await world.time.advance(1_000);
  assert.equal(await appendAndWait(world.journal, 'c'), 'durable');
  await world.journal.close();
});
