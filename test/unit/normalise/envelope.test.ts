import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../../src/core/outcome.js';
import { MessageKind, NormaliseFlag } from '../../../src/normalise/batch-layout.js';
import { normalise, testArrival } from '../../support/normalise.js';

type Row = readonly [key: string, ts: number, type: string, value: number | string];

/** Payload in, `[key, ts, type, num or text]` of every point out. */
function check(payload: string, expected: readonly Row[], flags = 0): void {
  const { points, outcomes } = normalise([{ payload, flags }]);
  assert.deepEqual(outcomes, [Outcome.accepted], payload);
  const rows = points.map(({ key, ts, type, num, text }) => {
    return [key, ts, type, type === 'string' || type === 'json' ? text : num];
  });
  assert.deepEqual(rows, expected, payload);
}

function checkRejected(payload: string, outcome: number, offset: number, flags = 0): void {
  const { outcomes, offsets, result } = normalise([{ payload, flags }]);
  assert.deepEqual([outcomes, offsets], [[outcome], [offset]], payload);
  assert.deepEqual([result.telemetry.rows, result.rejected.rows], [0, 1], payload);
}

const now = testArrival;

test('the payloads of the guide', () => {
  check('{"temperature":25}', [['temperature', now, 'long', 25]]);
  check('{"temperature":25, "humidity":65}', [
    ['temperature', now, 'long', 25],
    ['humidity', now, 'long', 65],
  ]);
  check(
    '{\n  "ts": 1451649600512,\n  "values": {\n    "temperature": 25,\n    "humidity": 65\n  }\n}',
    [
      ['temperature', 1_451_649_600_512, 'long', 25],
      ['humidity', 1_451_649_600_512, 'long', 65],
    ],
  );
  check('{"stringKey":"value1","booleanKey":true,"doubleKey":42.0,"longKey":73}', [
    ['stringKey', now, 'string', 'value1'],
    ['booleanKey', now, 'bool', 1],
    ['doubleKey', now, 'double', 42],
    ['longKey', now, 'long', 73],
  ]);
  check(
    '{\n  "temperature": 25.5,\n  "location": {\n    "latitude": 51.5074,\n' +
      '    "longitude": -0.1278\n  },\n  "sensors": [1, 2, 3]\n}',
    [
      ['temperature', now, 'double', 25.5],
      ['location', now, 'json', '{"latitude":51.5074,"longitude":-0.1278}'],
      ['sensors', now, 'json', '[1,2,3]'],
    ],
  );
  check('[\n  {"key1": "value1"},\n  {"key2": true}\n]', [
    ['key1', now, 'string', 'value1'],
    ['key2', now, 'bool', 1],
  ]);
});

test('ts and values together are an envelope, in any order, siblings ignored', () => {
  check('{"ts":5,"values":{"a":1}}', [['a', 5, 'long', 1]]);
  check('{"values":{"a":1},"ts":5}', [['a', 5, 'long', 1]]);
  check('{"x":9,"ts":5,"y":"z","values":{"a":1,"b":2},"w":[1]}', [
    ['a', 5, 'long', 1],
    ['b', 5, 'long', 2],
  ]);
  check(' { "ts" : 5 , "values" : { "a" : 1 } } ', [['a', 5, 'long', 1]]);
  check('{"\\u0074s":5,"va\\u006cues":{"a":1}}', [['a', 5, 'long', 1]]);
  check('{"ts":5,"values":{}}', []);
  check('{"ts":0,"values":{"a":1}}', [['a', 0, 'long', 1]]);
  check('{"ts":5,"values":{"a":null}}', []);
});

test('a sibling of an envelope must be JSON, but need not be a key or value that we store', () => {
  check('{"":1e400,"ts":5,"values":{"a":1}}', [['a', 5, 'long', 1]]);
  check('{"ts":5,"values":{"a":1},"\\u0001":0}', [['a', 5, 'long', 1]]);
  check(`{"${'k'.repeat(300)}":0,"ts":5,"values":{"a":1}}`, [['a', 5, 'long', 1]]);
  check('{"ts":5,"big":99999999999999999999,"values":{"a":1}}', [['a', 5, 'long', 1]]);
  checkRejected('{"ts":5,"values":{"a":1},"x":tru}', Outcome.jsonSyntax, 32);
  checkRejected('{"ts":5,"x":"\\ud800","values":{"a":1}}', Outcome.utf8Invalid, 13);
});

test('the last of repeated envelope keys counts', () => {
  check('{"ts":5,"ts":6,"values":{"a":1}}', [['a', 6, 'long', 1]]);
  check('{"ts":5,"values":{"a":1},"values":{"b":2}}', [['b', 5, 'long', 2]]);
  checkRejected('{"ts":5,"values":{"a":1},"values":7}', Outcome.shapeInvalid, 34);
  checkRejected('{"ts":5,"values":{"a":1},"ts":"x"}', Outcome.timestampInvalid, 30);
});

test('one of the two alone is an ordinary key', () => {
  check('{"ts":1451649600512}', [['ts', now, 'long', 1_451_649_600_512]]);
  check('{"ts":"soon","a":1}', [
    ['ts', now, 'string', 'soon'],
    ['a', now, 'long', 1],
  ]);
  check('{"values":{"a": 1}}', [['values', now, 'json', '{"a":1}']]);
  check('{"a":1,"values":3}', [
    ['a', now, 'long', 1],
    ['values', now, 'long', 3],
  ]);
});

test('what is inside values is no envelope again', () => {
  check('{"ts":1,"values":{"ts":2,"values":{"a":1}}}', [
    ['ts', 1, 'long', 2],
    ['values', 1, 'json', '{"a":1}'],
  ]);
});

test('values must be an object', () => {
  checkRejected('{"ts":5,"values":[1]}', Outcome.shapeInvalid, 17);
  checkRejected('{"ts":5,"values":"x"}', Outcome.shapeInvalid, 17);
  checkRejected('{"ts":5,"values":null}', Outcome.shapeInvalid, 17);
  checkRejected('{"values":1,"ts":5}', Outcome.shapeInvalid, 10);
});

test('ts is an int64 number or a numeric string', () => {
  check('{"ts":"1451649600512","values":{"a":1}}', [['a', 1_451_649_600_512, 'long', 1]]);
  check('{"ts":"007","values":{"a":1}}', [['a', 7, 'long', 1]]);
  check('{"ts":"\\u0038","values":{"a":1}}', [['a', 8, 'long', 1]]);
  check('{"ts":-0,"values":{"a":1}}', [['a', 0, 'long', 1]]);
  for (const ts of ['1.5', '1e3', '5.0', 'true', 'null', '{}', '[5]', '"abc"', '""', '"-"']) {
    checkRejected(`{"ts":${ts},"values":{"a":1}}`, Outcome.timestampInvalid, 6);
  }
  for (const ts of ['" 5"', '"5.0"', '"+5"', '99999999999999999999', '"9223372036854775808"']) {
    checkRejected(`{"ts":${ts},"values":{"a":1}}`, Outcome.timestampInvalid, 6);
  }
});

test('ts lies between 1970 and the end of the range in 2262', () => {
  const last = 9_223_372_036_854;
  assert.equal(new Date(last).toISOString(), '2262-04-11T23:47:16.854Z');
  check(`{"ts":${last},"values":{"a":1}}`, [['a', last, 'long', 1]]);
  checkRejected(`{"ts":${last + 1},"values":{"a":1}}`, Outcome.timestampOutOfRange, 6);
  checkRejected('{"ts":-1,"values":{"a":1}}', Outcome.timestampOutOfRange, 6);
  checkRejected('{"ts":"-1","values":{"a":1}}', Outcome.timestampOutOfRange, 6);
  checkRejected('{"ts":9223372036854775807,"values":{}}', Outcome.timestampOutOfRange, 6);
  checkRejected('{"ts":-9223372036854775808,"values":{}}', Outcome.timestampOutOfRange, 6);
});

test('tsPolicy: a time more than a minute ahead is refused or becomes the arrival', () => {
  const { rejectFutureTimestamps: reject, clampTimestamps: clamp } = NormaliseFlag;
  const at = (ts: number): string => `{"ts":${ts},"values":{"a":1}}`;
  const limit = now + 60_000;
  check(at(limit + 1), [['a', limit + 1, 'long', 1]]);
  check(at(limit), [['a', limit, 'long', 1]], reject);
  checkRejected(at(limit + 1), Outcome.timestampInFuture, 6, reject);
  check(at(limit), [['a', limit, 'long', 1]], clamp);
  check(at(limit + 1), [['a', now, 'long', 1]], clamp);
  check(at(5), [['a', 5, 'long', 1]], reject | clamp);
  checkRejected(at(9_223_372_036_855), Outcome.timestampOutOfRange, 6, clamp);
});

test('an array holds objects of either form; those without ts share the arrival', () => {
  check('[{"a":1},{"ts":5,"values":{"b":2}},{"c":3},{}]', [
    ['a', now, 'long', 1],
    ['b', 5, 'long', 2],
    ['c', now, 'long', 3],
  ]);
  check('[]', []);
  check(' [ ] ', []);
  check('{}', []);
  check('[{}]', []);
  check('{"a":null}', []);
  checkRejected('[1,2]', Outcome.shapeInvalid, 1);
  checkRejected('[{"a":1},[{"b":2}]]', Outcome.shapeInvalid, 9);
  checkRejected('[null]', Outcome.shapeInvalid, 1);
  checkRejected('[{"a":1},{"b":2},3]', Outcome.shapeInvalid, 17);
  checkRejected('[{"a":1},{"ts":"x","values":{}}]', Outcome.timestampInvalid, 15);
});

test('anything else at the top is the wrong shape', () => {
  for (const payload of ['"s"', '1', '-1', 'true', 'false', 'null']) {
    checkRejected(payload, Outcome.shapeInvalid, 0);
  }
  checkRejected('  "s"', Outcome.shapeInvalid, 2);
  checkRejected('', Outcome.payloadEmpty, 0);
  checkRejected('  ', Outcome.jsonSyntax, 2);
});

test('of duplicate keys in one object the last counts, and they are counted', () => {
  const counted = (payload: string, expected: readonly Row[], duplicates: number): void => {
    check(payload, expected);
    assert.equal(normalise([{ payload }]).result.duplicateKeys, duplicates, payload);
  };
  counted('{"a":1,"a":2}', [['a', now, 'long', 2]], 1);
  counted(
    '{"a":1,"b":"x","a":"y","b":3}',
    [
      ['a', now, 'string', 'y'],
      ['b', now, 'long', 3],
    ],
    2,
  );
  counted(
    '{"a":"long text","\\u0061":9007199254740993,"c":0}',
    [
      ['a', now, 'long', 9_007_199_254_740_992],
      ['c', now, 'long', 0],
    ],
    1,
  );
  counted('{"a":1,"a":null}', [], 1);
  counted('{"a":1,"a":null,"a":3,"a":4}', [['a', now, 'long', 4]], 2);
  counted(
    '{"a":null,"b":1,"a":2}',
    [
      ['b', now, 'long', 1],
      ['a', now, 'long', 2],
    ],
    0,
  );
  counted(
    '[{"a":1},{"a":2}]',
    [
      ['a', now, 'long', 1],
      ['a', now, 'long', 2],
    ],
    0,
  );
  counted('{"ts":5,"values":{"ts":1,"ts":2}}', [['ts', 5, 'long', 2]], 1);
});

test('duplicates among many keys', () => {
  const keys = Array.from({ length: 200 }, (_, index) => `k${index}`);
  const members = [...keys.map((key) => `"${key}":"old"`), ...keys.map((key) => `"${key}":1`)];
  check(
    `{${members.join(',')}}`,
    keys.map((key) => [key, now, 'long', 1] as const),
  );
});

test('attributes are one object, never an envelope, and no telemetry', () => {
  const kind = MessageKind.attributesJson;
  const run = (payload: string) => normalise([{ payload, kind }]);
  const { attributes, points, outcomes } = run(
    '{"firmwareVersion":"1.2.3","n":7,"big":-9223372036854775808,"d":42.0,"on":true,"o":{"a": 1},' +
      '"ts":1,"values":{},"gone":null}',
  );
  assert.deepEqual(outcomes, [Outcome.accepted]);
  assert.deepEqual(points, []);
  assert.deepEqual(
    attributes.map(([, receivedAt, values]) => [receivedAt, values]),
    [
      [
        now,
        [
          ['firmwareVersion', 4, '1.2.3'],
          ['n', 2, 7n],
          ['big', 2, -9_223_372_036_854_775_808n],
          ['d', 3, 42],
          ['on', 1, true],
          ['o', 5, '{"a":1}'],
          ['ts', 2, 1n],
          ['values', 5, '{}'],
        ],
      ],
    ],
  );
  assert.deepEqual(run('{}').outcomes, [Outcome.accepted]);
  assert.deepEqual(run('{}').attributes, []);
  assert.deepEqual(run('[]').outcomes, [Outcome.shapeInvalid]);
  assert.deepEqual(run('[{"a":1}]').outcomes, [Outcome.shapeInvalid]);
  assert.deepEqual(run('').outcomes, [Outcome.payloadEmpty]);
  assert.deepEqual(run('{"a":}').offsets, [5]);
});

test('attributes between telemetry leave the telemetry as it is', () => {
  const { points, attributes, result } = normalise([
    { payload: '{"a":"one"}' },
    { payload: '{"b":"two","b":"three"}', kind: MessageKind.attributesJson },
    { payload: '{"c":9007199254740993}' },
  ]);
  assert.deepEqual(
    points.map(({ key, text, long }) => [key, text, long]),
    [
      ['a', 'one', 0n],
      ['c', '', 9_007_199_254_740_993n],
    ],
  );
  assert.deepEqual(
    attributes.map(([, , values]) => values),
    [[['b', 4, 'three']]],
  );
  assert.equal(result.duplicateKeys, 1);
  assert.equal(result.attributes.segmentNameAt, -1);
});
