import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../../src/core/outcome.js';
import { normalise, textsOf } from '../../support/normalise.js';

const utf8 = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

/** The outcome and the byte it names; nothing of the message is stored. */
function check(payload: string | Buffer, outcome: number, offset: number): void {
  const { outcomes, offsets, result, rejected } = normalise([{ payload }]);
  const say = payload.toString().slice(0, 80);
  assert.deepEqual([outcomes, offsets], [[outcome], [offset]], say);
  assert.deepEqual([result.telemetry.rows, result.messagesRejected], [0, 1], say);
  assert.match(textsOf(rejected!, 'reason')[0]!, new RegExp(`at byte ${offset}$`), say);
}

function accept(payload: string, points: number): void {
  const { outcomes, result } = normalise([{ payload }]);
  assert.deepEqual([outcomes, result.telemetry.rows], [[Outcome.accepted], points]);
}

test('malformed JSON, at the first byte that no JSON can have there', () => {
  const { jsonSyntax } = Outcome;
  check('{', jsonSyntax, 1);
  check('{"a', jsonSyntax, 3);
  check('{"a"', jsonSyntax, 4);
  check('{"a"}', jsonSyntax, 4);
  check('{"a":', jsonSyntax, 5);
  check('{"a":}', jsonSyntax, 5);
  check('{"a":1', jsonSyntax, 6);
  check('{"a":1,', jsonSyntax, 7);
  check('{"a":1,}', jsonSyntax, 7);
  check('{"a":1 "b":2}', jsonSyntax, 7);
  check('{,"a":1}', jsonSyntax, 1);
  check('{a:1}', jsonSyntax, 1);
  check("{'a':1}", jsonSyntax, 1);
  check('{"a":1}}', jsonSyntax, 7);
  check('{"a":1} x', jsonSyntax, 8);
  check('{"a":1}\0', jsonSyntax, 7);
  check('[{"a":1},]', jsonSyntax, 9);
  check('[{"a":1} {"b":2}]', jsonSyntax, 9);
  check('[{"a":1}', jsonSyntax, 8);
  check('hello', jsonSyntax, 0);
  check('\ufeff{"a":1}', jsonSyntax, 0);
  check('{"a":1/*x*/}', jsonSyntax, 6);
  check('{"a":\u00a01}', jsonSyntax, 5);
});

test('malformed numbers', () => {
  const { jsonSyntax } = Outcome;
  check('{"a":01}', jsonSyntax, 6);
  check('{"a":-01}', jsonSyntax, 7);
  check('{"a":00.5}', jsonSyntax, 6);
  check('{"a":1.}', jsonSyntax, 7);
  check('{"a":.5}', jsonSyntax, 5);
  check('{"a":-}', jsonSyntax, 6);
  check('{"a":+1}', jsonSyntax, 5);
  check('{"a":1e}', jsonSyntax, 7);
  check('{"a":1e+}', jsonSyntax, 8);
  check('{"a":1.5e-}', jsonSyntax, 10);
  check('{"a":1.2.3}', jsonSyntax, 8);
  check('{"a":0x10}', jsonSyntax, 6);
  check('{"a":1234567890123.}', jsonSyntax, 19);
  check('{"a":NaN}', jsonSyntax, 5);
  check('{"a":Infinity}', jsonSyntax, 5);
  check('{"a":-Infinity}', jsonSyntax, 6);
  check('{"a":[1.]}', jsonSyntax, 8);
});

test('malformed literals and strings', () => {
  const { jsonSyntax } = Outcome;
  check('{"a":tru}', jsonSyntax, 8);
  check('{"a":True}', jsonSyntax, 5);
  check('{"a":nul', jsonSyntax, 8);
  check('{"a":falsey}', jsonSyntax, 10);
  check('{"a":"x', jsonSyntax, 7);
  check('{"a":"x\n"}', jsonSyntax, 7);
  check('{"a":"\\x"}', jsonSyntax, 7);
  check('{"a":"\\u12g4"}', jsonSyntax, 10);
  check('{"a":"\\', jsonSyntax, 7);
  check('{"a":"\\u12', jsonSyntax, 10);
  check('{"a\tb":1}', jsonSyntax, 3);
  check('{"a":["x\u0001"]}', jsonSyntax, 8);
  check('{"a":{"b":1,}}', jsonSyntax, 12);
  check('{"a":{"b"}}', jsonSyntax, 9);
  check('{"a":[1,]}', jsonSyntax, 8);
  check('{"a":[1}]', jsonSyntax, 7);
  check('{"a":{]}', jsonSyntax, 6);
});

test('a key in quotes and backslashes is no short cut to malformed JSON', () => {
  accept('{"a\\"b":1}', 1);
  const { outcomes } = normalise([
    { payload: '{"a\\"b":1,"c\\\\":2}' },
    { payload: '{"a"b":1}' },
    { payload: '{"a\\"b":1,"c\\":2}' },
    { payload: '{"a\\"b":1,"c\\\\":2}' },
  ]);
  assert.deepEqual(outcomes, [0, Outcome.jsonSyntax, Outcome.jsonSyntax, 0]);
});

test('invalid UTF-8', () => {
  const { utf8Invalid } = Outcome;
  check(utf8('{"a":"', [0x80], '"}'), utf8Invalid, 6);
  check(utf8('{"a":"x', [0xc0, 0xaf], '"}'), utf8Invalid, 7);
  check(utf8('{"a":"', [0xe0, 0x80, 0xaf], '"}'), utf8Invalid, 6);
  check(utf8('{"a":"', [0xed, 0xa0, 0x80], '"}'), utf8Invalid, 6);
  check(utf8('{"a":"', [0xf4, 0x90, 0x80, 0x80], '"}'), utf8Invalid, 6);
  check(utf8('{"a":"', [0xf5, 0x80, 0x80, 0x80], '"}'), utf8Invalid, 6);
  check(utf8('{"a":"', [0xe2, 0x82], '"}'), utf8Invalid, 6);
  check(utf8('{"a":"', [0xe2, 0x82]), utf8Invalid, 6);
  check(utf8('{"k', [0xff], '":1}'), utf8Invalid, 3);
  check(utf8('{"a":{"k', [0xff], '":1}}'), utf8Invalid, 8);
});

test('a terminator cannot be forged: a message ends where it ends', () => {
  const { outcomes, offsets } = normalise([
    { payload: '{"a":1' },
    { payload: ',"b":2}' },
    { payload: '{"a":"x' },
    { payload: 'y"}' },
    { payload: '{"a":12' },
    { payload: '34}' },
    { payload: '{"a":tr' },
    { payload: 'ue}' },
  ]);
  const { jsonSyntax, shapeInvalid } = Outcome;
  const expected = [jsonSyntax, jsonSyntax, jsonSyntax, jsonSyntax, jsonSyntax, shapeInvalid];
  assert.deepEqual(outcomes, [...expected, jsonSyntax, jsonSyntax]);
  assert.deepEqual(offsets, [6, 0, 7, 0, 7, 0, 7, 0]);
});

test('depth: 64 levels, whatever they are', () => {
  const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  accept(nested(63), 1);
  check(nested(64), Outcome.jsonDepth, 5 + 63);
  accept(`[${nested(62)}]`, 1);
  check(`[${nested(63)}]`, Outcome.jsonDepth, 1 + 5 + 62);
  accept(`{"ts":1,"values":${nested(62)}}`, 1);
  check(`{"ts":1,"values":${nested(63)}}`, Outcome.jsonDepth, 17 + 5 + 62);
  accept(`{"x":${'['.repeat(63)}${']'.repeat(63)},"ts":1,"values":{}}`, 0);
  check(`{"x":${'['.repeat(64)}${']'.repeat(64)},"ts":1,"values":{}}`, Outcome.jsonDepth, 68);
  check(`{"a":${'{"b":'.repeat(100_000)}`, Outcome.jsonDepth, 5 + 63 * 5);
  check('['.repeat(100_000), Outcome.shapeInvalid, 1);
});

test('keys: 1 to 255 characters, no control characters', () => {
  const { keyInvalid } = Outcome;
  accept(`{"${'k'.repeat(255)}":1}`, 1);
  accept(`{"${'é'.repeat(255)}":1}`, 1);
  accept(`{"${'😀'.repeat(255)}":1}`, 1);
  accept(`{"${'\\u00e9'.repeat(255)}":1}`, 1);
  check('{"":1}', keyInvalid, 1);
  check(`{"x":1,"${'k'.repeat(256)}":1}`, keyInvalid, 7);
  check(`{"${'😀'.repeat(256)}":1}`, keyInvalid, 1);
  check('{"a\\u0000b":1}', keyInvalid, 1);
  check('{"a\\n":1}', keyInvalid, 1);
  check('{"a\u007f":1}', keyInvalid, 1);
  check('{"\u0085":1}', keyInvalid, 1);
  check('{"\\u009f":1}', keyInvalid, 1);
  accept('{"\u00a0":1}', 1);
  accept('{"a":{"":1,"\\u0000":2}}', 1);
});

test('names of Object.prototype are keys like any other', () => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const payload = '{"__proto__":1,"constructor":2,"toString":3,"hasOwnProperty":{"__proto__":4}}';
  const { points } = normalise([{ payload }]);
  assert.deepEqual(
    points.map(({ key, num, text }) => [key, num, text]),
    [
      ['__proto__', 1, ''],
      ['constructor', 2, ''],
      ['toString', 3, ''],
      ['hasOwnProperty', 0, '{"__proto__":4}'],
    ],
  );
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
});

test('1,000 keys per object, duplicates and nulls counted', () => {
  const members = (count: number): string =>
    Array.from({ length: count }, (_, index) => `"k${index}":${index}`).join(',');
  accept(`{${members(1000)}}`, 1000);
  check(`{${members(1001)}}`, Outcome.keysTooMany, members(1000).length + 2);
  accept(`{${'"a":1,'.repeat(999)}"a":2}`, 1);
  check(`{${'"a":1,'.repeat(1000)}"a":2}`, Outcome.keysTooMany, 6001);
  check(`{${'"a":null, '.repeat(1000)} "a":2}`, Outcome.keysTooMany, 10_002);
  check(`{"ts":1,"values":{${members(1001)}}}`, Outcome.keysTooMany, 18 + members(1000).length + 1);
  check(`{${members(999)},"ts":1,"values":{}}`, Outcome.keysTooMany, members(999).length + 9);
  accept(`{"a":{${members(5000)}}}`, 1);
});

test('10,000 points per message', () => {
  const object = `{${Array.from({ length: 1000 }, (_, index) => `"k${index}":1`).join(',')}}`;
  const ten = new Array<string>(10).fill(object).join(',');
  accept(`[${ten}]`, 10_000);
  accept(`[${ten},{}]`, 10_000);
  check(`[${ten},{"a":1}]`, Outcome.pointsTooMany, ten.length + 2);
  check(`[${ten},${ten}]`, Outcome.pointsTooMany, ten.length + 2);
  accept(`[${'{"a":1},'.repeat(9999)}{"a":2}]`, 10_000);
  check(`[${'{"a":1},'.repeat(10_000)}{"a":2}]`, Outcome.pointsTooMany, 80_001);
});

test('a refused message takes nothing of its neighbours with it', () => {
  const { points, outcomes, result } = normalise([
    { payload: '{"a":"first","b":9007199254740993}' },
    { payload: '[{"c":"lost","d":9007199254740995},{"ts":5,"values":{"e":1}},7]' },
    { payload: '{"f":"last","a":1,"a":2}' },
    { payload: '{"g":1,"g":2,"h":"lost"' },
  ]);
  assert.deepEqual(outcomes, [0, Outcome.shapeInvalid, 0, Outcome.jsonSyntax]);
  assert.deepEqual(
    points.map(({ key, num, long, text }) => [key, num, long, text]),
    [
      ['a', 0, 0n, 'first'],
      ['b', 2 ** 53, 9_007_199_254_740_993n, ''],
      ['f', 0, 0n, 'last'],
      ['a', 2, 0n, ''],
    ],
  );
  assert.deepEqual(
    [result.messagesAccepted, result.messagesRejected, result.duplicateKeys],
    [2, 2, 1],
  );
});

test('adversarial families cost time in proportion to their bytes', () => {
  // Not timed: each of these is hundreds of times slower than it may be if anything is quadratic.
  const keys = Array.from({ length: 1000 }, (_, index) => `"k${index}":"v"`).join(',');
  const repeated = `{${keys.slice(0, keys.length / 2)},${'"k1":"w",'.repeat(400)}"z":1}`;
  const families = [
    `{"a":"${'\\u00e9'.repeat(40_000)}"}`,
    `{"a":${'[['.repeat(30)}${'1,'.repeat(100_000)}1${']]'.repeat(30)}}`,
    `{"a":${'9'.repeat(250_000)}}`,
    `{"a":0.${'0'.repeat(200_000)}1}`,
    `{"a":1${' '.repeat(250_000)}}`,
    `[${new Array<string>(9).fill(repeated).join(',')}]`,
    `[${'{"values":{"a":1},"ts":5},'.repeat(9000)}{}]`,
    `{"a":"${'x'.repeat(250_000)}`,
  ];
  const { result } = normalise(
    Array.from({ length: 20 }, () => families).flatMap((all) =>
      all.map((payload) => ({ payload })),
    ),
  );
  assert.equal(result.fault, undefined);
  assert.equal(result.messagesAccepted + result.messagesRejected, 160);
});
