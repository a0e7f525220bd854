import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';
import { Outcome } from '../../../src/core/outcome.js';
import { MessageKind, NormaliseFlag } from '../../../src/normalise/batch-layout.js';
import { normalise, testArrival } from '../../support/normalise.js';

const kind = MessageKind.telemetryMsgpack;
type Row = readonly [key: string, type: string, value: number | bigint | string];

/** Blanks in `hex` only divide it for the reader. */
function run(hex: string, flags = 0, messageKind: MessageKind = kind) {
  const payload = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
  return normalise([{ payload, kind: messageKind, flags }]);
}

function check(hex: string, expected: readonly Row[], flags = 0): void {
  const { points, outcomes } = run(hex, flags);
  assert.deepEqual(outcomes, [Outcome.accepted], hex);
  const rows = points.map(({ key, type, num, long, text }) => {
    return [key, type, type === 'string' || type === 'json' ? text : long !== 0n ? long : num];
  });
  assert.deepEqual(rows, expected, hex);
}

function checkRejected(hex: string, outcome: number, offset: number): void {
  const { outcomes, offsets, result } = run(hex);
  assert.deepEqual([outcomes, offsets], [[outcome], [offset]], hex);
  assert.equal(result.telemetry.rows, 0);
}

test('every integer form is a long', () => {
  const long = (hex: string, value: number | bigint): void => {
    check(`81 a161 ${hex}`, [['a', 'long', value]]);
  };
  long('00', 0);
  long('7f', 127);
  long('e0', -32);
  long('ff', -1);
  long('cc ff', 255);
  long('cd ffff', 65_535);
  long('ce ffffffff', 4_294_967_295);
  long('cf 0000000000000005', 5);
  long('cf 0020000000000001', 9_007_199_254_740_993n);
  long('cf 7fffffffffffffff', 9_223_372_036_854_775_807n);
  long('d0 80', -128);
  long('d1 8000', -32_768);
  long('d2 80000000', -2_147_483_648);
  long('d3 8000000000000000', -9_223_372_036_854_775_808n);
  long('d3 ffdfffffffffffff', -9_007_199_254_740_993n);
  long('d3 ffe0000000000000', -(2 ** 53));
});

test('an unsigned integer beyond int64 is a double, and counted', () => {
  check('81 a161 cf 8000000000000000', [['a', 'double', 2 ** 63]]);
  check('81 a161 cf ffffffffffffffff', [['a', 'double', 2 ** 64]]);
  assert.equal(run('82 a161 cf8000000000000000 a162 cfffffffffffffffff').result.integersWidened, 2);
});

test('floats are doubles even when integral', () => {
  check('81 a161 cb 4045000000000000', [['a', 'double', 42]]);
  check('81 a161 ca 42280000', [['a', 'double', 42]]);
  check('81 a161 ca 3dcccccd', [['a', 'double', Math.fround(0.1)]]);
  check('81 a161 cb 8000000000000000', [['a', 'double', -0]]);
  checkRejected('81 a161 cb 7ff0000000000000', Outcome.numberOverflow, 3);
  checkRejected('81 a161 ca 7fc00000', Outcome.numberOverflow, 3);
});

test('strings, booleans, nil', () => {
  check('84 a161 a0 a162 a3 e282ac a163 c3 a164 c2', [
    ['a', 'string', ''],
    ['b', 'string', '€'],
    ['c', 'bool', 1],
    ['d', 'bool', 0],
  ]);
  check('82 a161 c0 a162 d9 02 6869', [['b', 'string', 'hi']]);
  check('81 a161 da 0001 78', [['a', 'string', 'x']]);
  check('81 a161 db 00000001 78', [['a', 'string', 'x']]);
  check('81 a161 a2 3132', [['a', 'long', 12]], NormaliseFlag.castNumericStrings);
  checkRejected('81 a161 a2 c328', Outcome.utf8Invalid, 4);
  checkRejected('81 a161 a1 e2 82ac', Outcome.utf8Invalid, 4);
});

test('nested maps and arrays become JSON text', () => {
  const json = (hex: string, text: string): void => check(`81 a161 ${hex}`, [['a', 'json', text]]);
  json('90', '[]');
  json('80', '{}');
  json('93 01 c0 c3', '[1,null,true]');
  json('92 cb4045000000000000 cb8000000000000000', '[42.0,-0.0]');
  json('92 cb3fb999999999999a cb444b1ae4d6e2ef50', '[0.1,1e+21]');
  json('92 cfffffffffffffffff d38000000000000000', '[18446744073709551615,-9223372036854775808]');
  json('92 cf0020000000000001 e0', '[9007199254740993,-32]');
  json('82 a162 91 80 a163 82 a0 c2 a179 a178', '{"b":[{}],"c":{"":false,"y":"x"}}');
  json('91 a6 22 5c 0a 01 2f 7f', '["\\"\\\\\\u000a\\u0001/\u007f"]');
  json('91 a4 f09f9880', '["😀"]');
  checkRejected('81 a161 91 cb7ff8000000000000', Outcome.numberOverflow, 4);
  checkRejected('81 a161 81 01 02', Outcome.keyInvalid, 4);
});

test('text of control characters only still fits', () => {
  const payload = Buffer.concat([
    Buffer.from('81a16191db0000ffff', 'hex'),
    Buffer.alloc(65_535, 1),
  ]);
  const { points } = normalise([
    { payload, kind },
    { payload, kind },
    { payload, kind },
  ]);
  assert.deepEqual(
    points.map(({ text }) => text === `["${'\\u0001'.repeat(65_535)}"]`),
    [true, true, true],
  );
});

test('binary data, extensions, the unused byte and truncation are refused', () => {
  const { msgpackInvalid } = Outcome;
  checkRejected('81 a161 c4 01 00', msgpackInvalid, 3);
  checkRejected('81 a161 d6 ff 00000000', msgpackInvalid, 3);
  checkRejected('81 a161 c7 01 05 00', msgpackInvalid, 3);
  checkRejected('81 a161 c1', msgpackInvalid, 3);
  checkRejected('81 a161 91 c4 00', msgpackInvalid, 4);
  checkRejected('81 a161', msgpackInvalid, 3);
  checkRejected('81 a1', msgpackInvalid, 1);
  checkRejected('81', msgpackInvalid, 1);
  checkRejected('82 a161 01', msgpackInvalid, 4);
  checkRejected('81 a161 cd 01', msgpackInvalid, 3);
  checkRejected('81 a161 a5 6869', msgpackInvalid, 3);
  checkRejected('81 a161 01 01', msgpackInvalid, 4);
  checkRejected('de', msgpackInvalid, 0);
  checkRejected('dd ffffffff', msgpackInvalid, 5);
  checkRejected('81 a161 dd ffffffff 01', msgpackInvalid, 9);
  checkRejected('df ffffffff', msgpackInvalid, 5);
});

test('shape, keys and limits are those of JSON', () => {
  checkRejected('01', Outcome.shapeInvalid, 0);
  checkRejected('a161', Outcome.shapeInvalid, 0);
  checkRejected('92 80 01', Outcome.shapeInvalid, 2);
  check('90', []);
  check('80', []);
  check('92 81a16101 81a16202', [
    ['a', 'long', 1],
    ['b', 'long', 2],
  ]);
  check('de 0001 a161 01', [['a', 'long', 1]]);
  check('df 00000001 a161 01', [['a', 'long', 1]]);
  check('dc 0001 80', []);
  checkRejected('81 a0 01', Outcome.keyInvalid, 1);
  checkRejected('81 a10a 01', Outcome.keyInvalid, 1);
  checkRejected('81 a2c285 01', Outcome.keyInvalid, 1);
  checkRejected('81 01 01', Outcome.keyInvalid, 1);
  checkRejected('81 a1ff 01', Outcome.utf8Invalid, 2);
  check(`81 d9ff ${'6b'.repeat(255)} 01`, [['k'.repeat(255), 'long', 1]]);
  checkRejected(`81 da0100 ${'6b'.repeat(256)} 01`, Outcome.keyInvalid, 1);
  checkRejected(`de03e9 ${'a16101'.repeat(1001)}`, Outcome.keysTooMany, 3003);
  check(`de03e8 ${'a16101'.repeat(1000)}`, [['a', 'long', 1]]);
  checkRejected(`81 a161 ${'91'.repeat(64)} 01`, Outcome.jsonDepth, 66);
  check(`81 a161 ${'91'.repeat(63)} 01`, [['a', 'json', `${'['.repeat(63)}1${']'.repeat(63)}`]]);
  checkRejected(`dc2711 ${'81a16101'.repeat(10_001)}`, Outcome.pointsTooMany, 3 + 4 * 10_000);
  assert.deepEqual(run('').outcomes, [Outcome.payloadEmpty]);
});

test('of duplicate keys the last counts', () => {
  check('83 a161 01 a162 a178 a161 02', [
    ['b', 'string', 'x'],
    ['a', 'long', 2],
  ]);
  check('82 a161 01 a161 c0', []);
});

test('envelopes', () => {
  const { points } = run('82 a2 7473 cf 00000151fd0f0c00 a6 76616c756573 81 a161 01');
  assert.deepEqual(
    points.map(({ key, ts }) => [key, ts]),
    [['a', 1_451_649_600_512]],
  );
  const at = (hex: string): (number | undefined)[] => run(hex).points.map(({ ts }) => ts);
  assert.deepEqual(at('82 a6 76616c756573 81a16101 a27473 05'), [5]);
  assert.deepEqual(at('83 a178 92c0a0 a27473 a137 a6 76616c756573 81a16101'), [7]);
  assert.deepEqual(at('82 a27473 cb4014000000000000 a6 76616c756573 81a16101'), [5]);
  assert.deepEqual(at('82 a27473 05 a161 01'), [testArrival, testArrival]);
  checkRejected('82 a27473 cb4016000000000000 a676616c756573 80', Outcome.timestampInvalid, 4);
  checkRejected('82 a27473 ff a676616c756573 80', Outcome.timestampOutOfRange, 4);
  checkRejected('82 a27473 cfffffffffffffffff a676616c756573 80', Outcome.timestampInvalid, 4);
  checkRejected('82 a27473 c0 a676616c756573 80', Outcome.timestampInvalid, 4);
  checkRejected('82 a27473 05 a676616c756573 90', Outcome.shapeInvalid, 12);
  checkRejected('82 a27473 05 a676616c756573 81 a0 01', Outcome.keyInvalid, 13);
  checkRejected('83 a178 c1 a27473 05 a676616c756573 80', Outcome.msgpackInvalid, 3);
});

test('attributes', () => {
  const attributes = MessageKind.attributesMsgpack;
  const { attributes: records, points } = run('82 a161 cb4045000000000000 a162 2a', 0, attributes);
  assert.deepEqual(points, []);
  assert.deepEqual(
    records.map(([, , values]) => values),
    [
      [
        ['a', 3, 42],
        ['b', 2, 42n],
      ],
    ],
  );
  assert.deepEqual(run('90', 0, attributes).outcomes, [Outcome.shapeInvalid]);
});

test('what msgpackr packs comes out as msgpackr unpacks it', () => {
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: 'bigint' });
  const key = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => !/\p{Cc}|\p{Surrogate}/u.test(text) && !['ts', 'values'].includes(text));
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/\p{Surrogate}/u.test(value));
  const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const value = fc.oneof(integer, fc.integer(), fc.boolean(), text);
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), (pairs) => {
      const payload = packr.pack(new Map(pairs));
      const { points, outcomes } = normalise([{ payload, kind }]);
      assert.deepEqual(outcomes, [Outcome.accepted]);
      const unpacked = unpackr.unpack(payload) as Map<string, unknown>;
      const expected = [...unpacked].map(([name, item]) => {
        if (typeof item === 'string') return [name, 'string', item];
        if (typeof item === 'boolean') return [name, 'bool', BigInt(item)];
        return [name, 'long', BigInt(item as number)];
      });
      const actual = points.map(({ key: name, type, num, long, text: content }) => {
        return [name, type, type === 'string' ? content : long !== 0n ? long : BigInt(num)];
      });
      assert.deepEqual(actual, expected);
    }),
  );
});
