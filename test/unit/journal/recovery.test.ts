import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultFs } from '../../support/fault-fs.js';
import { settled } from './virtual-time.js';
import {
  appendAndWait,
  directory,
  drain,
  metricValue,
  openWorld,
  takeWithin,
  textsOf,
  type World,
} from './world.js';

const headerBytes = 4096;
const recordBytes = 32 + 8; // the texts below have up to 8 bytes

/** Appends texts one group each and kills the process. */
async function killedAfter(texts: readonly string[]): Promise<FaultFs> {
  const { fs, journal } = await openWorld();
  for (const text of texts) assert.equal(await appendAndWait(journal, text), 'durable');
  await settled();
  return fs.killProcess();
}

function currentFile(fs: FaultFs): string {
  return fs.paths().find((path) => path.endsWith('00000000001.open')) ?? '';
}

async function quarantined(world: World): Promise<number> {
  return await metricValue(world.metrics, 'sluice_journal_quarantined_total');
}

function quarantineFiles(fs: FaultFs): string[] {
  return fs
    .paths()
    .filter((path) => path.includes('/quarantine/'))
    .map((path) => path.replace(/.*quarantine\/[0-9a-f]{8}-\d{11}\./, ''))
    .sort();
}

test('after a kill all that was acknowledged comes back, in order, named as before', async () => {
  const fs = await killedAfter(['a', 'b', 'c']);
  const name = currentFile(fs).replace(`${directory}/`, '').replace('.open', '');
  const world = await openWorld({}, fs);
  assert.deepEqual(world.journal.ready(), { ready: true, reason: undefined });
  const segment = await takeWithin(world, 0);
  assert.equal(segment?.name, name);
  assert.equal(segment?.recovered, true);
  assert.deepEqual(segment === undefined ? [] : await textsOf(segment), ['a', 'b', 'c']);
  assert.equal(await quarantined(world), 0);
  await world.journal.close();
});

test('live appends are accepted while recovered segments wait', async () => {
  const fs = await killedAfter(['old']);
  const world = await openWorld({}, fs);
  assert.equal(await appendAndWait(world.journal, 'new'), 'durable');
  assert.deepEqual(await drain(world), ['old', 'new']);
  await world.journal.close();
});

test('a torn last record is cut, and the cut is durable', async () => {
  const fs = await killedAfter(['a', 'b', 'c']);
  const last = headerBytes + 2 * recordBytes;
  fs.content(currentFile(fs)).fill(0, last + 32, last + recordBytes); // its payload
  const world = await openWorld({}, fs);
  assert.deepEqual(quarantineFiles(fs), [
    `${last}-${last + recordBytes}.torn`,
    `${last}-${last + recordBytes}.torn.json`,
  ]);
  assert.ok(fs.paths().some((path) => path.endsWith(`.${last}.sealed`)));
  const again = await openWorld({}, world.fs.losePower());
  assert.deepEqual(await drain(again), ['a', 'b']);
  await again.journal.close();
});

test('a tail that never became a record is cut without a word', async () => {
  const fs = await killedAfter(['a', 'b']);
  const end = headerBytes + 2 * recordBytes;
  fs.content(currentFile(fs)).fill(0x72, end, end + 100);
  const world = await openWorld({}, fs);
  assert.deepEqual(quarantineFiles(fs), []);
  assert.deepEqual(await drain(world), ['a', 'b']);
  await world.journal.close();
});

test('a damaged payload in the middle: only that record is set aside', async () => {
  const fs = await killedAfter(['a', 'b', 'c']);
  const content = fs.content(currentFile(fs));
  const at = headerBytes + recordBytes;
  content[at + 32] = 0xff;
  const world = await openWorld({}, fs);
  assert.deepEqual(await drain(world), ['a', 'c']);
  assert.equal(await quarantined(world), 1);
  const name = `${at}-${at + recordBytes}.damaged`;
  assert.deepEqual(quarantineFiles(fs), [name, `${name}.json`]);
  const kept = fs.paths().find((path) => path.endsWith('.damaged')) ?? '';
  assert.equal(fs.content(kept)[32], 0xff);
  const sidecar = fs.paths().find((path) => path.endsWith('.damaged.json')) ?? '';
  const { at: when, ...about } = JSON.parse(Buffer.from(fs.content(sidecar)).toString());
  assert.match(when, /^2023-11-14T22:13:2\d\.000Z$/);
  assert.deepEqual(about, {
    segment: kept.replace(/.*quarantine\//, '').slice(0, 20),
    from: at,
    to: at + recordBytes,
    records: 1,
    rows: 1,
    acknowledged: true,
  });
  await world.journal.close();
});

test('a damaged header in the middle: the records behind it are found again', async () => {
  const fs = await killedAfter(['a', 'b', 'c', 'd']);
  const content = fs.content(currentFile(fs));
  const at = headerBytes + recordBytes;
  content[at + 12] = 0xff; // the payload length
  content[at + recordBytes + 3] = 0; // the next record's magic
  const world = await openWorld({}, fs);
  assert.deepEqual(await drain(world), ['a', 'd']);
  assert.deepEqual(quarantineFiles(fs), [
    `${at}-${at + 2 * recordBytes}.damaged`,
    `${at}-${at + 2 * recordBytes}.damaged.json`,
  ]);
  await world.journal.close();
});

test('damage at the end of a sealed segment is counted, the rest delivered', async () => {
  const first = await openWorld();
  for (const text of ['a', 'b', 'c']) await appendAndWait(first.journal, text);
  await first.journal.close();
  const sealed = first.fs.paths().find((path) => path.endsWith('.sealed')) ?? '';
  first.fs.content(sealed).fill(0xee, headerBytes + 2 * recordBytes + 8, 10_000);
  const world = await openWorld({}, first.fs);
  assert.deepEqual(await drain(world), ['a', 'b']);
  assert.equal(await quarantined(world), 1);
  await world.journal.close();
});

test('an unreadable header: the whole file is set aside, the journal opens', async () => {
  for (const byte of [0, 8, 12, 60]) {
    const fs = await killedAfter(['a']);
    const content = fs.content(currentFile(fs));
    content[byte] = (content[byte] ?? 0) ^ 0x40;
    const world = await openWorld({}, fs);
    assert.deepEqual(await drain(world), []);
    assert.equal(await quarantined(world), 1);
    assert.deepEqual(quarantineFiles(fs), ['open.damaged', 'open.damaged.json']);
    assert.equal(await appendAndWait(world.journal, 'b'), 'durable');
    await world.journal.close();
  }
});

test('an emptied header is damage where records follow, else a spare', async () => {
  const fs = await killedAfter(['a']);
  fs.content(currentFile(fs)).fill(0, 0, headerBytes);
  const spare = fs.paths().find((path) => path.endsWith('00000000002.open')) ?? '';
  fs.content(spare).fill(0);
  const world = await openWorld({}, fs);
  assert.deepEqual(quarantineFiles(fs), ['open.damaged', 'open.damaged.json']);
  assert.equal(await quarantined(world), 1);
  await world.journal.close();
});

test('what is left in a recycled file from its earlier use never comes back', async () => {
  const first = await openWorld();
  const stale = 'stale'.repeat(1_000);
  for (let round = 0; round < 4; round += 1) {
    assert.equal(await appendAndWait(first.journal, `${stale}${round}`), 'durable');
    await drain(first);
  }
  assert.equal(await appendAndWait(first.journal, 'fresh'), 'durable');
  await settled();
  const contents = first.fs.paths().map((path) => Buffer.from(first.fs.content(path)));
  assert.ok(contents.filter((content) => content.includes('stalestale')).length >= 2);
  const world = await openWorld({}, first.fs.killProcess());
  assert.deepEqual(await drain(world), ['fresh']);
  assert.equal(await quarantined(world), 0);
  await world.journal.close();
});

test('a file renamed for its next use but never written is no segment', async () => {
  const fs = await killedAfter(['a']);
  const spare = fs.paths().find((path) => path.endsWith('00000000002.open')) ?? '';
  await fs.rename(spare, spare.replace('00000000002', '00000000009'));
  const world = await openWorld({}, fs);
  assert.deepEqual(await drain(world), ['a']);
  assert.equal(await quarantined(world), 0);
  assert.equal(await appendAndWait(world.journal, 'b'), 'durable');
  await settled();
  assert.ok(
    fs.paths().some((path) => path.endsWith('00000000010.open')),
    'numbers go on',
  );
  await world.journal.close();
});

test('unfinished zeros go, foreign files stay, a second file is set aside', async () => {
  const fs = await killedAfter(['a']);
  const name = currentFile(fs).replace('.open', '');
  await fs.open(`${directory}/00000001-00000000007.new`, 'create');
  await fs.open(`${directory}/notes.txt`, 'create');
  const copy = await fs.open(`${name}.${headerBytes + recordBytes}.sealed`, 'create');
  await copy.write([fs.content(currentFile(fs))], 0);
  const world = await openWorld({}, fs);
  const names = fs.paths().map((path) => path.replace(`${directory}/`, ''));
  assert.ok(!names.includes('00000001-00000000007.new'));
  assert.ok(names.includes('notes.txt'));
  assert.deepEqual(quarantineFiles(fs), ['open.damaged', 'open.damaged.json']);
  assert.deepEqual(await drain(world), ['a']);
  await world.journal.close();
});

test('a released segment does not come back after a loss of power', async () => {
  const first = await openWorld();
  assert.equal(await appendAndWait(first.journal, 'a'), 'durable');
  assert.deepEqual(await drain(first), ['a']);
  const world = await openWorld({}, first.fs.losePower());
  assert.deepEqual(await drain(world), []);
  await world.journal.close();
});

test('each start has a journal id of its own: a name never comes again', async () => {
  const names = new Set<string>();
  const before = await killedAfter(['a']);
  for (let round = 0; round < 3; round += 1) {
    // The same old state of the directory is put back each time.
    const world = await openWorld({}, await killedAfter(['a']));
    assert.equal(await appendAndWait(world.journal, 'b'), 'durable');
    await world.journal.cut();
    for (let taken = 0; taken < 2; taken += 1) {
      const segment = await takeWithin(world, 0);
      assert.ok(segment !== undefined && !names.has(segment.name));
      names.add(segment.name);
    }
    await world.journal.close();
  }
  assert.ok(before.paths().length > 0);
});

test('pages that cannot be read are zeros, and the file itself is kept', async () => {
  const first = await openWorld();
  for (const text of ['a', 'b']) await appendAndWait(first.journal, text);
  await first.journal.close();
  const { fs } = first;
  const sealed = fs.paths().find((path) => path.endsWith('.sealed')) ?? '';
  fs.fault = (operation, path) => (operation === 'read' && path === sealed ? 'EIO' : undefined);
  const world = await openWorld({}, fs);
  assert.equal(await takeWithin(world, 900), undefined, 'not even the header: it is tried again');
  let reads = 0;
  fs.fault = (operation, path) => {
    if (operation !== 'read' || path !== sealed) return undefined;
    reads += 1;
    return reads > 1 ? 'EIO' : undefined; // the header, then nothing
  };
  assert.equal(await takeWithin(world, 1_500), undefined);
  fs.fault = () => undefined;
  await world.time.advance(2_000);
  assert.ok(quarantineFiles(fs).includes('segment'), quarantineFiles(fs).join());
  await world.journal.close();
});

test('an unusable directory is one clear error', async () => {
  const fs = new FaultFs(() => 0, 1024 * 1024);
  fs.list = () => Promise.reject(Object.assign(new Error('EACCES: denied'), { code: 'EACCES' }));
  await assert.rejects(openWorld({}, fs), {
    code: 'SLUICE_DATA_UNUSABLE',
    message: 'cannot open the journal in /journal: EACCES: denied',
  });
});
