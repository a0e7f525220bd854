import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../../src/core/outcome.js';
import { NormaliseFlag } from '../../../src/normalise/batch-layout.js';
import { normalise, type TestPoint, testArrival, testDevice } from '../../support/normalise.js';
import { Random } from '../../support/random.js';

type Stored = Pick<TestPoint, 'type' | 'num' | 'long' | 'text'>;

const bool = (value: boolean): Stored => stored('bool', value ? 1 : 0);
const long = (num: number, exact = 0n): Stored => ({ type: 'long', num, long: exact, text: '' });
const double = (num: number): Stored => stored('double', num);
const string = (text: string): Stored => ({ type: 'string', num: 0, long: 0n, text });
const json = (text: string): Stored => ({ type: 'json', num: 0, long: 0n, text });

function stored(type: string, num: number): Stored {
  return { type, num, long: 0n, text: '' };
}

/** What is stored of `{"key":<literal>}`; -0 and 0 differ. */
function check(literal: string, expected: Stored, flags = 0): void {
  const { points, outcomes } = normalise([{ payload: `{"key":${literal}}`, flags }]);
  assert.deepEqual(outcomes, [Outcome.accepted], literal);
  const common = { device: testDevice, key: 'key', ts: testArrival, receivedAt: testArrival };
  assert.deepStrictEqual(points, [{ ...common, ...expected }], literal);
}

function checkRejected(literal: string, outcome: number, offset: number): void {
  const { outcomes, offsets, result } = normalise([{ payload: `{"key":${literal}}` }]);
  assert.deepEqual([outcomes, offsets], [[outcome], [offset]], literal);
  assert.equal(result.telemetry.rows, 0);
}

test('an integer literal that fits int64 is a long, every digit exact', () => {
  check('0', long(0));
  check('-0', long(0));
  check('7', long(7));
  check('73', long(73));
  check('-40', long(-40));
  check('9999', long(9999));
  check('10000', long(10_000));
  check('-123456', long(-123_456));
  check('999999999', long(999_999_999));
  check('2147483648', long(2_147_483_648));
  check('1700000000000', long(1_700_000_000_000));
  check('9007199254740991', long(9_007_199_254_740_991));
  check('9007199254740992', long(9_007_199_254_740_992));
  check('-9007199254740992', long(-9_007_199_254_740_992));
  check('9007199254740993', long(9_007_199_254_740_992, 9_007_199_254_740_993n));
  check('-9007199254740993', long(-9_007_199_254_740_992, -9_007_199_254_740_993n));
  check('9223372036854775807', long(2 ** 63, 9_223_372_036_854_775_807n));
  check('-9223372036854775808', long(-(2 ** 63), -9_223_372_036_854_775_808n));
  check('-9223372036854775807', long(-(2 ** 63), -9_223_372_036_854_775_807n));
});

test('every other finite number is a double, to the last bit', () => {
  check('42.0', double(42));
  check('25.5', double(25.5));
  check('1.10', double(1.1));
  check('-0.0', double(-0));
  check('0.5', double(0.5));
  check('-0.1278', double(-0.1278));
  check('1e3', double(1000));
  check('1.5E+3', double(1500));
  check('101E-1', double(10.1));
  check('1E-3', double(0.001));
  check('9999999.0', double(9_999_999));
  check('10000000.0', double(10_000_000));
  check('12345678.9', double(12_345_678.9));
  check('123456789.123456789', double(123_456_789.123_456_79));
  check('0.30000000000000004', double(0.300_000_000_000_000_04));
  check('0.1234567890123456', double(0.123_456_789_012_345_6));
  check('1e-17', double(1e-17));
  check('1e22', double(1e22));
  check('1e23', double(1e23));
  check('8.5e-320', double(8.5e-320));
  check('1e-400', double(0));
  check('-1e-400', double(-0));
  check('0e999999999', double(0));
  check('9.9701010061400066E19', double(Number('9.9701010061400066E19')));
  check('1.7976931348623157e308', double(Number.MAX_VALUE));
  check('9007199254740993.0', double(9_007_199_254_740_992));
});

test('an exponent and zeros that cancel out do not confuse each other', () => {
  check(`0.${'0'.repeat(100_000)}25e100001`, double(2.5));
  check(`0.${'0'.repeat(99_999)}25e100000`, double(2.5));
  check(`25${'0'.repeat(1000)}e-1001`, double(2.5));
  checkRejected(`0.${'0'.repeat(100_000)}1e1000000`, Outcome.numberOverflow, 7);
  checkRejected(`0.${'0'.repeat(100_000)}1e${'9'.repeat(30)}`, Outcome.numberOverflow, 7);
  check(`1e-${'9'.repeat(30)}`, double(0));
});

test('numbers of sixteen to eighteen digits, as programs print them', (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const literals = Array.from({ length: 100_000 }, (_, index) => {
    if (index % 4 === 0) return String(random.next() * 10 ** random.between(-3, 5));
    const digits = random.between(15, 18);
    let literal = String(random.between(1, 9));
    while (literal.length < digits) literal += random.between(0, 9);
    const point = random.between(1, digits - 1);
    return `${literal.slice(0, point)}.${literal.slice(point)}`;
  }).filter((literal) => literal.includes('.'));
  const messages = literals.map((literal) => ({ payload: `{"a":${literal}}` }));
  for (let from = 0; from < messages.length; from += 4000) {
    const { points } = normalise(messages.slice(from, from + 4000));
    points.forEach(({ num, type }, index) => {
      const literal = literals[from + index]!;
      if (!Object.is(num, Number(literal))) assert.fail(`${literal} → ${num}`);
      assert.equal(type, 'double');
    });
  }
});

test('an integer literal beyond int64 is a double and is counted', () => {
  const payload = '{"a":9223372036854775808,"b":-9223372036854775809,"c":100000000000000000000}';
  const { points, result } = normalise([{ payload }]);
  assert.deepEqual(
    points.map(({ type, num }) => [type, num]),
    [
      ['double', 2 ** 63],
      ['double', -(2 ** 63)],
      ['double', 1e20],
    ],
  );
  assert.equal(result.integersWidened, 3);
});

test('a number that overflows float64 is rejected where it stands', () => {
  checkRejected('1e400', Outcome.numberOverflow, 7);
  checkRejected('-1e400', Outcome.numberOverflow, 7);
  checkRejected('1e999999999', Outcome.numberOverflow, 7);
  checkRejected('1.8e308', Outcome.numberOverflow, 7);
  checkRejected('9'.repeat(400), Outcome.numberOverflow, 7);
  checkRejected(`-${'9'.repeat(400)}`, Outcome.numberOverflow, 7);
});

test('a refused message counts no widened integer', () => {
  const { result } = normalise([{ payload: '{"a":9223372036854775808,"b":x}' }]);
  assert.equal(result.integersWidened, 0);
});

test('a string is a string, its escapes resolved', () => {
  check('"value1"', string('value1'));
  check('""', string(''));
  check('"123"', string('123'));
  check('"true"', string('true'));
  check('"a\\"b\\\\c\\/d"', string('a"b\\c/d'));
  check('"\\b\\f\\n\\r\\t"', string('\b\f\n\r\t'));
  check('"\\u0041\\u00e9\\u20AC\\u0000"', string('Aé€\0'));
  check('"\\ud83d\\ude00!"', string('😀!'));
  check('"é€😀"', string('é€😀'));
  check('"\u007f"', string('\u007f'));
  check(`"${'x'.repeat(127)}"`, string('x'.repeat(127)));
  check(`"${'x'.repeat(128)}"`, string('x'.repeat(128)));
  check(`"${'é'.repeat(10_000)}"`, string('é'.repeat(10_000)));
});

test('a surrogate that stands alone is refused as invalid UTF-8', () => {
  checkRejected('"ab\\ud83d"', Outcome.utf8Invalid, 10);
  checkRejected('"\\ude00"', Outcome.utf8Invalid, 8);
  checkRejected('"\\ud83dx"', Outcome.utf8Invalid, 8);
  checkRejected('"\\ud83d\\u0041"', Outcome.utf8Invalid, 8);
  checkRejected('"\\ud83d\\ud83d"', Outcome.utf8Invalid, 8);
  checkRejected('["\\ud83d"]', Outcome.utf8Invalid, 9);
});

test('booleans; null skips its key', () => {
  check('true', bool(true));
  check('false', bool(false));
  const { points, outcomes } = normalise([{ payload: '{"a":null,"b":1,"c":null}' }]);
  assert.deepEqual(outcomes, [Outcome.accepted]);
  assert.deepEqual(
    points.map(({ key, num }) => [key, num]),
    [['b', 1]],
  );
});

test('objects and arrays keep their text, without white space outside strings', () => {
  check('[1,2,3]', json('[1,2,3]'));
  check('[]', json('[]'));
  check('{}', json('{}'));
  check(' [ 1 ,\t2.50 , 1e400 ,\r\n{ } , [ [ ] ] ] ', json('[1,2.50,1e400,{},[[]]]'));
  check('{ "b" : null , "a" : "x y" , "a" : -0 }', json('{"b":null,"a":"x y","a":-0}'));
  check('{"é\\u00e9\\n":[true,false,null,"\\ud83d\\ude00"]}', {
    ...json('{"é\\u00e9\\n":[true,false,null,"\\ud83d\\ude00"]}'),
  });
  check('{"":{"__proto__":123456789012345678901234567890}}', {
    ...json('{"":{"__proto__":123456789012345678901234567890}}'),
  });
  check(`["${'y'.repeat(20_000)}"]`, json(`["${'y'.repeat(20_000)}"]`));
});

test('castNumericStrings makes numbers of what looks like a plain one', () => {
  const cast = (text: string, expected: Stored): void => {
    check(`"${text}"`, expected, NormaliseFlag.castNumericStrings);
  };
  cast('123', long(123));
  cast('00123', long(123));
  cast('-5', long(-5));
  cast('-0', long(0));
  cast('\\u0031\\u0032', long(12));
  cast('9223372036854775807', long(2 ** 63, 9_223_372_036_854_775_807n));
  cast('12.30', double(12.3));
  cast('1.0', double(1));
  cast('.5', double(0.5));
  cast('-.5', double(-0.5));
  cast('-0.0', double(-0));
  cast('0.1234567890123456', double(0.123_456_789_012_345_6));
  cast('0.12345678901234567', string('0.12345678901234567'));
  cast('99999999999999999999', string('99999999999999999999'));
  cast(`${'9'.repeat(400)}.5`, string(`${'9'.repeat(400)}.5`));
  for (const text of ['+5', '1.', '1e5', ' 12', '12 ', '0x1F', '1,000', '', 'NaN', '-', '.']) {
    cast(text, string(text));
  }
  for (const text of ['1.2.3', '--5', '5-', '-.', 'true', '٣']) cast(text, string(text));
  check('["12"]', json('["12"]'), NormaliseFlag.castNumericStrings);
});

test('long, double and text sit side by side in one block', () => {
  const payload = '{"a":"x","b":9007199254740993,"c":[1],"d":2,"e":"","f":-7.25}';
  const { points } = normalise([{ payload }, { payload: '{"b":5}' }]);
  assert.deepEqual(
    points.map(({ key, type, num, long: exact, text }) => [key, type, num, exact, text]),
    [
      ['a', 'string', 0, 0n, 'x'],
      ['b', 'long', 9_007_199_254_740_992, 9_007_199_254_740_993n, ''],
      ['c', 'json', 0, 0n, '[1]'],
      ['d', 'long', 2, 0n, ''],
      ['e', 'string', 0, 0n, ''],
      ['f', 'double', -7.25, 0n, ''],
      ['b', 'long', 5, 0n, ''],
    ],
  );
});
