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
} from './world.js';

test('nobody waits: an hour of little traffic stays in one segment', async () => {
  const world = await openWorld();
  for (let minute = 0; minute < 60; minute += 1) {
    assert.equal(await appendAndWait(world.journal, `${minute}`), 'durable');
    await world.time.advance(60_000);
  }
  assert.equal(world.journal.counters().segmentsWaiting, 0);
  const texts = await drain(world);
  assert.equal(texts.length, 60);
  await world.journal.close();
});

test('somebody waits: a segment closes 250 ms after its last append', async () => {
  const { journal, time } = await openWorld();
  let closed = 0;
  const taking = journal.nextClosed().then((segment) => {
    closed += 1;
    return segment;
  });
  await time.advance(5_000);
  assert.equal(closed, 0, 'an empty segment is not given out');
  assert.equal(await appendAndWait(journal, 'a'), 'durable');
  await time.advance(200);
  assert.equal(await appendAndWait(journal, 'b'), 'durable');
  await time.advance(249);
  assert.equal(closed, 0);
  await time.advance(1);
  assert.equal(closed, 1);
  const segment = await taking;
  assert.deepEqual(segment === undefined ? [] : await textsOf(segment), ['a', 'b']);
  await journal.close();
});

test('under steady traffic it closes 1,000 ms after its first append', async () => {
  const { journal, time } = await openWorld();
  let rows = 0;
  void journal.nextClosed().then((segment) => {
    rows = segment?.rows(RecordKind.telemetry) ?? 0;
  });
  for (let tenth = 0; tenth < 20 && rows === 0; tenth += 1) {
    assert.equal(await appendAndWait(journal, `${tenth}`), 'durable');
    await time.advance(100);
  }
  assert.equal(rows, 10);
  await journal.close();
});

test('who comes late gets what is old enough at once', async () => {
  const world = await openWorld();
  assert.equal(await appendAndWait(world.journal, 'a'), 'durable');
  await world.time.advance(400);
  const segment = await takeWithin(world, 0);
  assert.ok(segment !== undefined);
  await world.journal.close();
});

test('two who wait get two segments; an abort and a close end the waiting', async () => {
  const world = await openWorld();
  const { journal, time } = world;
  const both = Promise.all([journal.nextClosed(), journal.nextClosed()]);
  assert.equal(await appendAndWait(journal, 'a'), 'durable');
  await time.advance(300);
  assert.equal(await appendAndWait(journal, 'b'), 'durable');
  await time.advance(300);
  const [first, second] = await both;
  assert.deepEqual(first === undefined ? [] : await textsOf(first), ['a']);
  assert.deepEqual(second === undefined ? [] : await textsOf(second), ['b']);
  assert.equal(await takeWithin(world, 10), undefined);
  assert.equal(await journal.nextClosed(AbortSignal.abort()), undefined);
  const last = journal.nextClosed();
  await journal.close();
  assert.equal(await last, undefined);
});

test('cut gives out what there is now', async () => {
  const world = await openWorld();
  assert.equal(await appendAndWait(world.journal, 'a'), 'durable');
  await world.journal.cut();
  const segment = await takeWithin(world, 0);
  assert.deepEqual(segment === undefined ? [] : await textsOf(segment), ['a']);
  await world.journal.cut(); // nothing to cut
  await world.journal.close();
});

test('kinds are apart, ranges count records of the kind, pieces are the same bytes', async () => {
  const mib = 1024 * 1024;
  const disk = new FaultFs(() => 0, 64 * mib);
  const world = await openWorld({ segmentBytes: 8 * mib, bytesMax: 64 * mib }, disk);
  const large = 'L'.repeat(1_500_000);
  for (const text of ['a', 'bb', large, 'ccc']) {
    await answerOf(world.journal, [
      { ...record(text), rows: Math.min(text.length, 9) },
      record(`attributes of ${text.length}`, RecordKind.attributes),
    ]);
  }
  await world.journal.cut();
  const segment = await takeWithin(world, 0);
  assert.ok(segment !== undefined);
  const { telemetry, attributes, rejected } = RecordKind;
  assert.equal(segment.rows(telemetry), 1 + 2 + 9 + 3);
  assert.equal(segment.count(telemetry), 4);
  assert.equal(segment.payloadBytes(telemetry), 1 + 2 + 1_500_000 + 3);
  assert.equal(segment.recordCount, 8);
  assert.deepEqual(segment.rowsOfRecords(telemetry), [1, 2, 9, 3]);
  assert.deepEqual(await textsOf(segment), ['a', 'bb', large, 'ccc']);
  assert.deepEqual(await textsOf(segment, attributes), [
    'attributes of 1',
    'attributes of 2',
    'attributes of 1500000',
    'attributes of 3',
  ]);
  assert.deepEqual(await textsOf(segment, rejected), []);
  const range: string[] = [];
  for await (const payload of segment.records(telemetry, 1, 3))
    range.push(`${payload}`.slice(0, 9));
  assert.equal(range.length, 2);
  const pieces: Buffer[] = [];
  for await (const piece of segment.payload(telemetry)) pieces.push(Buffer.from(piece));
  assert.equal(Buffer.concat(pieces).toString(), `abb${large}ccc`);
  const middle: Buffer[] = [];
  for await (const piece of segment.payload(attributes, 1, 2)) middle.push(Buffer.from(piece));
  assert.equal(Buffer.concat(middle).toString(), 'attributes of 2');
  await world.journal.close();
});

test('released files are recycled, at most freeSegmentsMax are kept', async () => {
  const world = await openWorld({ freeSegmentsMax: 2 });
  const { journal, fs } = world;
  for (let number = 0; number < 6; number += 1) {
    assert.equal(await appendAndWait(journal, `${number}`), 'durable');
    await journal.cut();
  }
  assert.equal((await drain(world)).length, 6);
  const states = fs.paths().map((path) => path.split('.').at(-1));
  assert.deepEqual(states.sort(), ['free', 'free', 'open']);
  assert.equal(journal.counters().usedBytes, 3 * 20 * 1024);
  const writes = fs.writes;
  for (let round = 0; round < 3; round += 1) {
    assert.equal(await appendAndWait(journal, 'again'), 'durable');
    await journal.cut();
    await drain(world);
  }
  assert.equal(fs.writes - writes, 6, 'one header and one record each: no zeros any more');
  await journal.close();
});

test('releasing twice does no harm', async () => {
  const world = await openWorld();
  await appendAndWait(world.journal, 'a');
  await world.journal.cut();
  const segment = await takeWithin(world, 0);
  assert.ok(segment !== undefined);
  await Promise.all([world.journal.release(segment), world.journal.release(segment)]);
  assert.equal(world.journal.counters().unshippedBytes, 0);
  await world.journal.close();
});

test('the gauges tell what is not stored and for how long', async () => {
  const world = await openWorld();
  const { journal, metrics, time } = world;
  assert.equal(await appendAndWait(journal, 'a'), 'durable');
  await time.advance(4_000);
  assert.equal(await metricValue(metrics, 'sluice_journal_bytes'), 40);
  assert.equal(await metricValue(metrics, 'sluice_journal_oldest_seconds'), 4);
  await drain(world);
  assert.equal(await metricValue(metrics, 'sluice_journal_bytes'), 0);
  assert.equal(await metricValue(metrics, 'sluice_journal_oldest_seconds'), 0);
  assert.equal(await metricValue(metrics, 'sluice_journal_commits_total'), 1);
  assert.equal(await metricValue(metrics, 'sluice_journal_written_bytes_total'), 40);
  await journal.close();
});

test('refused rows are set aside with what is known about them', async () => {
  const world = await openWorld();
  const kept = await world.journal.setAside('row.refused', Buffer.from('row'), { code: 27 });
  assert.equal(kept, true);
  await settled();
  const { fs } = world;
  assert.equal(Buffer.from(fs.content('/journal/quarantine/row.refused')).toString(), 'row');
  const about = Buffer.from(fs.content('/journal/quarantine/row.refused.json')).toString();
  assert.match(about, /^\{"code":27,"at":"2023-11-14T22:13:20\.000Z"\}\n$/);
  assert.equal(await metricValue(world.metrics, 'sluice_journal_quarantined_total'), 1);
  await world.journal.close();
});
