import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordKind } from '../../../src/journal/record.js';
import { FaultFs } from '../../support/fault-fs.js';
import { settled } from './virtual-time.js';
import {
  answerOf,
  appendAndWait,
  drain,
  metricValue,
  openWorld,
  record,
  takeWithin,
  textsOf,
  type World,
} from './world.js';

/** A journal that has its current segment and the next one, so that only commits sync. */
async function warmWorld(changes: Parameters<typeof openWorld>[0] = {}): Promise<World> {
  const world = await openWorld(changes);
  assert.equal(await appendAndWait(world.journal, 'warm'), 'durable');
  await settled();
  return world;
}

test('what is appended while a sync runs is one group: 2 syncs for 100 appends', async () => {
  const { fs, journal } = await warmWorld();
  fs.turnsMax = 0;
  const before = fs.syncs;
  const answers: string[] = [];
  journal.append([record('first')], () => answers.push('first'));
  await undefined;
  await undefined; // the first group is being written
  for (let number = 1; number < 100; number += 1) {
    journal.append([record(`${number}`)], () => answers.push(`${number}`));
  }
  await settled();
  assert.equal(answers.length, 100);
  assert.equal(fs.syncs - before, 2);
  assert.deepEqual(
    answers,
    ['first', ...Array.from({ length: 99 }, (_, index) => `${index + 1}`)],
    'answers come in the order of the appends',
  );
  assert.equal(journal.counters().commits, 3, 'one of them from the beginning');
  await journal.close();
});

test('appends of one tick share a group', async () => {
  const { fs, journal } = await warmWorld();
  const before = fs.syncs;
  await Promise.all([appendAndWait(journal, 'a'), appendAndWait(journal, 'b')]);
  assert.equal(fs.syncs - before, 1);
  await journal.close();
});

test('onDurable is never called from inside append, and only after the sync', async () => {
  const { fs, journal } = await openWorld();
  await settled();
  fs.turnsMax = 3;
  const before = fs.syncs;
  let syncsAtAnswer = -1;
  journal.append([record('a')], () => {
    syncsAtAnswer = fs.syncs;
  });
  assert.equal(syncsAtAnswer, -1);
  await settled();
  assert.equal(syncsAtAnswer, before + 1);
  await journal.close();
});

test('an append without records is answered in its turn and writes nothing', async () => {
  const { fs, journal } = await warmWorld();
  const order: string[] = [];
  const before = fs.writes;
  journal.append([record('a')], () => order.push('a'));
  journal.append([], () => order.push('nothing'));
  journal.append([record('b')], () => order.push('b'));
  await settled();
  assert.deepEqual(order, ['a', 'nothing', 'b']);
  journal.append([], () => order.push('nothing again'));
  await settled();
  assert.equal(order.length, 4);
  assert.equal(fs.writes - before, 1);
  await journal.close();
});

test('more than queueBytesMax is refused, not queued', async () => {
  const { fs, journal } = await openWorld({ queueBytesMax: 4096 });
  await settled();
  fs.turnsMax = 3;
  const large = 'x'.repeat(1500);
  const answers = await Promise.all([
    appendAndWait(journal, large),
    appendAndWait(journal, large),
    appendAndWait(journal, large),
  ]);
  assert.deepEqual(answers, ['durable', 'durable', 'SLUICE_JOURNAL_BUSY']);
  assert.equal(journal.queuedBytes, 0);
  await journal.close();
});

test('a group is at most commitBytesMax, an append alone may be larger', async () => {
  const { fs, journal } = await warmWorld({ commitBytesMax: 2048 });
  const before = fs.syncs;
  const appends = ['a', 'b', 'c', 'd'].map((text) => appendAndWait(journal, text.repeat(900)));
  const answers = await Promise.all([...appends, appendAndWait(journal, 'e'.repeat(5000))]);
  assert.deepEqual(answers, Array(5).fill('durable'));
  assert.equal(fs.syncs - before, 3);
  await journal.close();
});

test('a full segment is followed by the prepared next one, without a wait', async () => {
  const world = await openWorld();
  await settled();
  const text = 'x'.repeat(5_000);
  const answers: string[] = [];
  for (let number = 0; number < 7; number += 1) {
    answers.push(await appendAndWait(world.journal, `${number}${text}`));
    await settled();
  }
  assert.deepEqual(answers, Array(7).fill('durable'));
  assert.equal(world.journal.counters().segmentsWaiting, 2);
  const texts = await drain(world);
  assert.deepEqual(
    texts.map((found) => found[0]),
    ['0', '1', '2', '3', '4', '5', '6'],
  );
  await world.journal.close();
});

test('an append larger than a segment gets a file of its own, which is not kept', async () => {
  const world = await openWorld();
  await settled();
  const large = 'y'.repeat(50_000);
  assert.equal(await appendAndWait(world.journal, 'before'), 'durable');
  assert.equal(await appendAndWait(world.journal, large), 'durable');
  assert.equal(await appendAndWait(world.journal, 'after'), 'durable');
  assert.deepEqual(await drain(world), ['before', large, 'after']);
  await settled();
  const sizes = world.fs.paths().map((path) => world.fs.content(path).byteLength);
  assert.ok(
    sizes.every((size) => size === 20 * 1024),
    `${sizes}`,
  );
  await world.journal.close();
});

test('a segment ends before segmentRowsMax is exceeded, and when it is reached', async () => {
  const world = await openWorld({ segmentRowsMax: 10 });
  const rows = (count: number) => [{ ...record('r'), rows: count }];
  assert.equal(await answerOf(world.journal, rows(6)), 'durable');
  assert.equal(await answerOf(world.journal, rows(5)), 'durable');
  await settled();
  assert.equal(world.journal.counters().segmentsWaiting, 1, '6 rows, as 11 would be too many');
  assert.equal(await answerOf(world.journal, rows(5)), 'durable');
  await settled();
  assert.equal(world.journal.counters().segmentsWaiting, 2, '10 rows are the most');
  const first = await takeWithin(world, 0);
  assert.equal(first?.rows(RecordKind.telemetry), 6);
  const second = await takeWithin(world, 0);
  assert.equal(second?.rows(RecordKind.telemetry), 10);
  await world.journal.close();
});

test('a failed write refuses its group only; another segment goes on', async () => {
  const world = await openWorld();
  const { fs, journal, metrics } = world;
  assert.equal(await appendAndWait(journal, 'kept'), 'durable');
  await settled();
  let failures = 1;
  fs.fault = (operation) => {
    if (operation !== 'write' || failures === 0) return undefined;
    failures -= 1;
    return 'EIO';
  };
  const failing = Promise.all([appendAndWait(journal, 'lost 1'), appendAndWait(journal, 'lost 2')]);
  await undefined;
  await undefined;
  const following = appendAndWait(journal, 'moved on');
  assert.deepEqual(await failing, ['SLUICE_JOURNAL_FAILED', 'SLUICE_JOURNAL_FAILED']);
  assert.equal(await following, 'durable');
  assert.equal(await metricValue(metrics, 'sluice_journal_failures_total'), 1);
  assert.deepEqual(journal.ready(), { ready: true, reason: undefined });
  await settled();
  const sealed = fs.paths().filter((path) => path.endsWith('.sealed'));
  assert.equal(sealed.length, 1);
  assert.ok(sealed[0]?.endsWith(`.${4096 + 40}.sealed`), 'it ends after the one durable record');
  assert.deepEqual(await drain(world), ['kept', 'moved on']);
  await settled();
  assert.ok(!fs.paths().some((path) => sealed.includes(path)));
  await journal.close();
});

test('a file that failed is removed after shipping, not written again', async () => {
  const world = await openWorld();
  const { fs, journal } = world;
  assert.equal(await appendAndWait(journal, 'kept'), 'durable');
  await settled();
  const failed = fs.content(fs.paths().find((path) => path.endsWith('01.open')) ?? '');
  let failures = 1;
  fs.fault = (operation) => (operation === 'write' && failures-- > 0 ? 'EIO' : undefined);
  assert.equal(await appendAndWait(journal, 'lost'), 'SLUICE_JOURNAL_FAILED');
  await drain(world);
  for (let round = 0; round < 5; round += 1) {
    assert.equal(await appendAndWait(journal, `more ${round}`), 'durable');
    await drain(world);
  }
  assert.ok(!fs.paths().some((path) => fs.content(path) === failed));
  await journal.close();
});

test('two failures in a row: not ready, tries again, recovers alone', async () => {
  const world = await openWorld();
  const { fs, journal, time } = world;
  await settled();
  fs.fault = (operation) => (operation === 'write' ? 'EIO' : undefined);
  assert.equal(await appendAndWait(journal, 'a'), 'SLUICE_JOURNAL_FAILED');
  assert.equal(journal.ready().ready, true, 'one file may fail');
  assert.equal(await appendAndWait(journal, 'b'), 'SLUICE_JOURNAL_FAILED');
  assert.equal(journal.ready().ready, false);
  assert.match(journal.ready().reason ?? '', /^cannot \w+ .*: EIO/);
  const writes = fs.writes;
  assert.equal(await appendAndWait(journal, 'c'), 'SLUICE_JOURNAL_FAILED');
  assert.equal(fs.writes, writes, 'refused before anything is written');
  await time.advance(30_000);
  assert.equal(journal.ready().ready, false);
  assert.ok(fs.writes - writes < 20, `${fs.writes - writes} attempts in 30 s`);
  fs.fault = () => undefined;
  await time.advance(6_000);
  assert.deepEqual(journal.ready(), { ready: true, reason: undefined });
  assert.equal(await appendAndWait(journal, 'd'), 'durable');
  assert.deepEqual(await drain(world), ['d']);
  await journal.close();
});

test('a seal that fails holds the segment back until it is durable', async () => {
  const world = await openWorld();
  const { fs, journal, time } = world;
  assert.equal(await appendAndWait(journal, 'a'), 'durable');
  fs.fault = (operation) => (operation === 'syncDirectory' ? 'EIO' : undefined);
  await journal.cut();
  assert.equal(await takeWithin(world, 900), undefined);
  fs.fault = () => undefined;
  await time.advance(2_000);
  const segment = await takeWithin(world, 0);
  assert.ok(segment !== undefined);
  assert.deepEqual(await textsOf(segment), ['a']);
  await journal.close();
});

test('nothing is accepted after close, and what was accepted before is kept', async () => {
  const world = await openWorld({}, new FaultFs(() => 0.9, 1024 * 1024));
  const accepted = appendAndWait(world.journal, 'last');
  const closing = world.journal.close();
  assert.equal(await appendAndWait(world.journal, 'late'), 'SLUICE_JOURNAL_FAILED');
  assert.equal(await accepted, 'durable');
  await closing;
  const states = world.fs.paths().map((path) => path.split('.').at(-1));
  assert.deepEqual(states.sort(), ['free', 'sealed']);
  const next = await openWorld({}, world.fs);
  assert.deepEqual(await drain(next), ['last']);
  await next.journal.close();
});

test('bytes written per byte of block stay below 1.15', async () => {
  const { journal } = await openWorld({ segmentBytes: 1024 * 1024, bytesMax: 8 * 1024 * 1024 });
  await Promise.all([4096, 300, 70_000].map((size) => appendAndWait(journal, 'z'.repeat(size))));
  const { bytesWritten, payloadBytesWritten } = journal.counters();
  assert.equal(payloadBytesWritten, 4096 + 300 + 70_000);
  assert.ok(bytesWritten / payloadBytesWritten < 1.15, `${bytesWritten / payloadBytesWritten}`);
  await journal.close();
});
