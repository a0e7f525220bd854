import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceWords } from '../../../src/core/ids.js';
import { Outcome } from '../../../src/core/outcome.js';
import { BatchView, MessageKind } from '../../../src/normalise/batch-layout.js';
import { Normaliser } from '../../../src/normalise/normalise.js';
import {
  makeBatch,
  normalise,
  pointsOf,
  type TestMessage,
  testArrival,
  testDevice,
} from '../../support/normalise.js';

test('an empty batch gives nothing', () => {
  const { result } = normalise([]);
  assert.deepEqual(
    [result.telemetry.bytes, result.attributes.bytes, result.rejected.bytes],
    [0, 0, 0],
  );
});

test('the output is kept while it is large enough and replaced when it is not', () => {
  const normaliser = new Normaliser();
  const small = new ArrayBuffer(8);
  const task = (output: ArrayBufferLike, payload: string) => ({
    input: makeBatch([{ payload }]),
    output: output as ArrayBuffer,
    nowMs: testArrival,
  });
  const first = normaliser.normaliseBatch(task(small, '{"a":1}'));
  assert.notEqual(first.output, small);
  const second = normaliser.normaliseBatch(task(first.output, '{"a":2}'));
  assert.equal(second.output, first.output);
  assert.deepEqual(
    pointsOf(second).map(({ num }) => num),
    [2],
  );
});

test('records begin at multiples of eight and name where the segment goes', () => {
  const { result } = normalise([
    { payload: '{"a":1}' },
    { payload: '{"b":2}', kind: MessageKind.attributesJson },
    { payload: '!' },
  ]);
  for (const { start, bytes, segmentNameAt } of [result.telemetry, result.rejected]) {
    assert.equal(start % 8, 0);
    const text = Buffer.from(result.output, start, bytes).toString('latin1');
    assert.equal(text.slice(segmentNameAt, segmentNameAt + 20), '?'.repeat(20));
  }
  assert.equal(result.attributes.start % 8, 0);
  assert.equal(result.attributes.segmentNameAt, -1);
});

test('one worker, many batches: keys, times and devices of before leave no trace', () => {
  const normaliser = new Normaliser();
  for (let round = 0; round < 50; round += 1) {
    const messages: TestMessage[] = Array.from({ length: 30 }, (_, row) => ({
      payload: `{"shared":${round},"k${round % 7}":"${row}","r${round}":${row}.5}`,
      receivedAt: round % 2 === 0 ? testArrival + row : 5_000_000_000_000 + row,
    }));
    const { points } = normalise(messages, normaliser);
    assert.deepEqual(
      points.slice(0, 3).map(({ key, num, text, receivedAt }) => [key, num, text, receivedAt]),
      [
        ['shared', round, '', messages[0]!.receivedAt],
        [`k${round % 7}`, 0, '0', messages[0]!.receivedAt],
        [`r${round}`, 0.5, '', messages[0]!.receivedAt],
      ],
    );
    assert.equal(points.length, 90);
  }
});

test('arrivals on both sides of a multiple of 2^32 milliseconds', () => {
  const edge = 400 * 2 ** 32;
  const times = [edge - 1, edge, edge + 5, edge - 1, 1, 0];
  const messages = times.map((receivedAt) => ({ payload: '{"a":1}', receivedAt }));
  const { points } = normalise(messages);
  assert.deepEqual(
    points.map(({ receivedAt }) => receivedAt),
    times,
  );
  assert.deepEqual(
    points.map(({ ts }) => ts),
    times,
  );
});

test('times of devices and of arrival in one block', () => {
  const { points } = normalise([
    { payload: '{"a":1,"b":2}', receivedAt: 70 },
    { payload: '[{"a":1},{"ts":9,"values":{"a":2}},{"ts":70,"values":{"a":3}}]', receivedAt: 71 },
  ]);
  assert.deepEqual(
    points.map(({ ts, receivedAt }) => [ts, receivedAt]),
    [
      [70, 70],
      [70, 70],
      [71, 71],
      [9, 71],
      [70, 71],
    ],
  );
});

test('more keys than one batch, one block and the dictionary can hold with ease', () => {
  const normaliser = new Normaliser();
  for (let round = 0; round < 6; round += 1) {
    const messages = Array.from({ length: 40 }, (_, message) => {
      const name = (index: number): string => `"round ${round} key ${message * 500 + index}"`;
      const members = Array.from({ length: 500 }, (_, index) => `${name(index)}:${index}`);
      return { payload: `{${members.join(',')}}` };
    });
    const { points, outcomes } = normalise(messages, normaliser);
    assert.deepEqual([...new Set(outcomes)], [Outcome.accepted]);
    assert.equal(points.length, 20_000);
    assert.equal(new Set(points.map(({ key }) => key)).size, 20_000);
    assert.deepEqual([points[19_999]!.key, points[19_999]!.num], [`round ${round} key 19999`, 499]);
  }
});

test('more than 65,536 different keys in one block', () => {
  const messages = Array.from({ length: 80 }, (_, message) => {
    const members = Array.from({ length: 1000 }, (_, index) => `"${message * 1000 + index}":1`);
    return { payload: `{${members.join(',')}}` };
  });
  const { points } = normalise(messages);
  assert.equal(points.length, 80_000);
  for (const index of [0, 255, 256, 65_535, 65_536, 79_999]) {
    assert.equal(points[index]!.key, String(index));
  }
});

test('a programmer error costs the message that it tripped over, which is not acknowledged', () => {
  const normaliser = new Normaliser();
  const { keys } = normaliser.scan;
  const identify = keys.identify.bind(keys);
  keys.identify = (source, from, to) => {
    if (Buffer.from(source.subarray(from, to)).toString() === 'trip') throw new RangeError('oops');
    return identify(source, from, to);
  };
  const { outcomes, points, result, attributes, arena } = normalise(
    [
      { payload: '{"a":1}' },
      { payload: '{"b":2}', kind: MessageKind.attributesJson },
      { payload: '{"c":3,"trip":4}' },
      { payload: '{"d":5}' },
      { payload: '!' },
    ],
    normaliser,
  );
  assert.deepEqual(outcomes, [0, 0, Outcome.overload, 0, Outcome.jsonSyntax]);
  assert.deepEqual(
    points.map(({ key, num }) => [key, num]),
    [
      ['a', 1],
      ['d', 5],
    ],
  );
  assert.equal(attributes.length, 1);
  assert.match(result.fault!, /oops \(message 2 of 5\)/);
  assert.deepEqual([result.messagesAccepted, result.messagesRejected], [3, 1]);
  assert.equal(result.rejected.rows, 1);
  assert.ok(Buffer.from(arena).toString().startsWith('{"a":1}{"b":2}{"c":3,"trip":4}{"d":5}!'));
});

test('when everything trips, everything is given back and nothing acknowledged', () => {
  const normaliser = new Normaliser();
  const { points } = normaliser.scan;
  points.reserve = () => {
    throw new RangeError('no memory');
  };
  points.hasRoom = () => false;
  const input = makeBatch(Array.from({ length: 10 }, () => ({ payload: '{"a":1}' })));
  const output = new ArrayBuffer(16);
  const result = normaliser.normaliseBatch({ input, output, nowMs: testArrival });
  const { outcome } = new BatchView(result.input);
  assert.deepEqual([...outcome.subarray(0, 10)], new Array(10).fill(Outcome.overload));
  assert.deepEqual([result.telemetry.rows, result.rejected.rows], [0, 0]);
  assert.deepEqual([result.input, result.output], [input, output]);
  assert.match(result.fault!, /no memory/);
});

test('a batch that is no batch is given back whole', () => {
  const check = (spoil: (view: BatchView) => void): void => {
    const input = makeBatch([{ payload: '{"a":1}' }, { payload: '{"b":1}' }]);
    const view = new BatchView(input);
    spoil(view);
    const task = { input, output: new ArrayBuffer(0), nowMs: testArrival };
    const result = new Normaliser().normaliseBatch(task);
    assert.notEqual(result.fault, undefined);
    assert.equal(view.outcome[1], Outcome.overload);
    assert.equal(result.telemetry.rows, 0);
  };
  check((view) => view.length.fill(1000, 0, 2));
  check((view) => view.start.fill(2 ** 31, 0, 2));
  check((view) => view.kind.fill(9, 0, 2));
  check((view) => view.kind.fill(MessageKind.refused, 0, 2));
});

test('device words reach the block as the UUID they came from', () => {
  assert.deepEqual([...deviceWords(testDevice)], [0xd4e54f60, 0xe0a1b2c3, 0xa5b6c7d8, 0x81728394]);
  assert.equal(normalise([{ payload: '{"a":1}' }]).points[0]!.device, testDevice);
});
