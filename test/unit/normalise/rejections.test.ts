import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeviceId, deviceWords } from '../../../src/core/ids.js';
import { limits } from '../../../src/core/limits.js';
import { Outcome } from '../../../src/core/outcome.js';
import { MessageKind } from '../../../src/normalise/batch-layout.js';
import { Normaliser } from '../../../src/normalise/normalise.js';
import { RejectionBudget } from '../../../src/normalise/rejection-budget.js';
import { normalise, testArrival, textsOf } from '../../support/normalise.js';

const perMinute = limits.rejectedPerDevicePerMinuteMax;

function deviceNumber(index: number): DeviceId {
  return `${index.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000` as DeviceId;
}

test('a rejected message is kept with topic, reason and its first kibibyte', () => {
  const long = `{"a":"${'x'.repeat(2000)}`;
  const { rejected, result } = normalise([
    { payload: long, topic: 'v1/devices/me/telemetry' },
    { payload: '', topic: 'a' },
    { payload: '{"ok":1}' },
  ]);
  assert.equal(result.rejected.rows, 2);
  assert.deepEqual(textsOf(rejected!, 'topic'), ['v1/devices/me/telemetry', 'a']);
  assert.deepEqual(textsOf(rejected!, 'reason'), [
    `malformed JSON at byte ${long.length}`,
    'empty payload at byte 0',
  ]);
  assert.deepEqual(textsOf(rejected!, 'payload'), [long.slice(0, 1024), '']);
});

test('what a protocol refused keeps its outcome; what nobody stores is no rejection', () => {
  const { outcomes, result, rejected } = normalise([
    { payload: '{"a":1}', kind: MessageKind.refused, outcome: Outcome.topicUnknown },
    { payload: 'x', kind: MessageKind.refused, outcome: Outcome.overload },
  ]);
  assert.deepEqual(outcomes, [Outcome.topicUnknown, Outcome.overload]);
  assert.deepEqual([result.messagesAccepted, result.messagesRejected], [0, 1]);
  assert.deepEqual(textsOf(rejected!, 'reason'), ['unknown topic']);
});

test('a device keeps so many rejected messages a minute, the rest are counted', () => {
  const normaliser = new Normaliser();
  const bad = Array.from({ length: perMinute + 7 }, () => ({ payload: '!' }));
  const others = [{ payload: '!', device: deviceNumber(1) }];
  const first = normalise([...bad, ...others], normaliser, testArrival);
  assert.deepEqual([first.result.rejected.rows, first.result.rejectedDropped], [perMinute + 1, 7]);
  assert.equal(first.result.messagesRejected, perMinute + 8);
  const same = normalise(bad.slice(0, 3), normaliser, testArrival + 1);
  assert.deepEqual([same.result.rejected.rows, same.result.rejectedDropped], [0, 3]);
  assert.equal(same.rejected, undefined);
  const next = normalise(bad.slice(0, 3), normaliser, testArrival + 60_000);
  assert.deepEqual([next.result.rejected.rows, next.result.rejectedDropped], [3, 0]);
});

test('the devices told apart are bounded, the others share one budget', () => {
  const budget = new RejectionBudget();
  const take = (index: number, nowMs = 0): boolean =>
    budget.take(deviceWords(deviceNumber(index)), 0, nowMs);
  for (let index = 0; index < limits.rejectedDevicesTrackedMax; index += 1) {
    assert.ok(take(index));
  }
  let shared = 0;
  for (let index = 0; index < 1000; index += 1) {
    if (take(limits.rejectedDevicesTrackedMax + index)) shared += 1;
  }
  assert.equal(shared, perMinute);
  for (let count = 1; count < perMinute; count += 1) assert.ok(take(5));
  assert.equal(take(5), false);
  assert.ok(take(limits.rejectedDevicesTrackedMax + 1, 60_000), 'a new minute, a new budget');
});

test('thousands of rejected messages in one batch', () => {
  const messages = Array.from({ length: 4096 }, (_, index) => ({
    payload: `bad ${index}`,
    device: deviceNumber(index),
    topic: `topic/${index}`,
  }));
  const { result, rejected } = normalise(messages);
  assert.equal(result.rejected.rows, 4096);
  assert.equal(textsOf(rejected!, 'topic')[4095], 'topic/4095');
  assert.equal(textsOf(rejected!, 'payload')[4000], 'bad 4000');
});
