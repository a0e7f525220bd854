import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../../src/core/clock.js';
import { deviceWords, newDeviceId } from '../../../src/core/ids.js';
import { limits } from '../../../src/core/limits.js';
import type { Batch } from '../../../src/ingest/batch.js';
import { Batcher } from '../../../src/ingest/batcher.js';
import { MessageKind, Protocol } from '../../../src/normalise/batch-layout.js';

const device = { words: deviceWords(newDeviceId()), normaliseFlags: 0 };
const payload = new TextEncoder().encode('{"a":1}');

/** A batcher whose sink keeps what it takes, and a clock that the test sets. */
function setUp(groupDelayMs: number) {
  const clock = { at: 1000, now: () => 0, monotonic: () => clock.at };
  const taken: Batch[] = [];
  const sink = {
    inFlight: 0,
    take(batch: Batch): void {
      sink.inFlight += 1;
      taken.push(batch);
    },
  };
  const pacing = { groupDelayMs, eagerBytes: 1024, inFlightMax: 2 };
  const batcher = new Batcher(clock as Clock, 4096, pacing, sink);
  const settle = (): void => {
    const batch = taken.shift();
    assert(batch);
    sink.inFlight -= 1;
    batcher.recycle(batch);
  };
  const add = (): boolean => {
    const batch = batcher.open(payload.length);
    if (batch === undefined) return false;
    const at = batch.copyIn(payload, 0, payload.length);
    const { telemetryJson } = MessageKind;
    batch.addRow(device, telemetryJson, Protocol.mqtt, 0, at, payload.length, 0, 0, undefined, 0);
    batcher.submit();
    return true;
  };
  return { clock, taken, sink, batcher, settle, add };
}

test('with nothing in flight a batch leaves at the end of the turn it was opened in', async () => {
  const { taken, add } = setUp(0);
  add();
  add();
  assert.equal(taken.length, 0);
  await turn();
  assert.deepEqual(
    taken.map((batch) => batch.rows),
    [2],
  );
});

test('a small batch waits for the one in flight, a large one does not', async () => {
  const { taken, add, settle } = setUp(0);
  add();
  await turn();
  add();
  await turn();
  assert.equal(taken.length, 1);
  for (let n = 0; n < 200; n++) add();
  await turn();
  assert.equal(taken.length, 2, 'over 1,024 bytes');
  add();
  await turn();
  assert.equal(taken.length, 2, 'two are in flight');
  settle();
  assert.equal(taken.length, 1, 'one is in flight, and the next is small');
  settle();
  assert.equal(taken.length, 1, 'nothing was in flight');
});

test('small batches keep the group delay apart', async () => {
  const { clock, taken, add, settle } = setUp(5);
  add();
  await turn();
  settle();
  add();
  await turn();
  assert.equal(taken.length, 0, 'at once after the last hand-over');
  clock.at += 6;
  add();
  await turn();
  assert.equal(taken.length, 1);
});

test('when every batch is busy nobody adds, and waiters are woken in order', () => {
  const { batcher, taken, add, settle } = setUp(0);
  let added = 0;
  while (add()) added += 1;
  const perBatch = Math.floor(4096 / payload.length);
  assert.equal(added, perBatch * limits.batchesMax);
  const woken: string[] = [];
  const fill = (): void => {
    while (add());
  };
  batcher.whenRoom(() => {
    woken.push('first');
    fill();
  });
  batcher.whenRoom(() => {
    woken.push('second');
  });
  settle();
  assert.deepEqual(woken, ['first'], 'it took all the room there was');
  assert.equal(taken.length, limits.batchesMax);
  settle();
  assert.deepEqual(woken, ['first', 'second']);
});

test('draining hands over what is there and opens nothing more', () => {
  const { batcher, taken, add } = setUp(0);
  add();
  batcher.drain();
  assert.equal(taken.length, 1);
  assert.equal(add(), false);
});
