import { Outcome } from '../core/outcome.js';
import { Character } from './characters.js';
import {
  decimalPowers,
  exactInt64,
  exceedsFloat64Integers,
  plainDigitsMax,
  readInt64,
  readPlainInteger,
} from './decimal.js';
import { doubleOf } from './json-double.js';
import { ValueType } from './result.js';
import { fail, type Scan } from './scan.js';

const { zero, nine, dot, minus, plus, e, upperE } = Character;

/**
 * @hot Writes the number at `at` to `point` when it has one to four digits before a point, at most
 * four behind it, and `,` or `}` follows: what most sensors send.
 * Returns the position behind it, complemented before a comma, or 0 for whatever else stands there.
 *
 * Four bytes are read and converted at once. Only how many of them are digits is told by branches
 * and not by counting bits: the processor guesses those, and is at the next member before this one
 * is done. The mantissa is below 10^8 and the power of ten exact, so the one division gives what
 * `JSON.parse` gives. Reads up to four bytes beyond the terminator.
 *
 * Literal numbers on purpose: V8 puts all of this into its only caller as long as it is small, and
 * names of constants make it larger.
 */
export function scanShortNumber(
  arena: Uint8Array,
  view: DataView,
  types: Uint8Array,
  num: Float64Array,
  point: number,
  at: number,
): number {
  let from = at;
  let word = view.getInt32(from, true);
  if (word << 24 === 0x2000_0000 /* space */) {
    from += 1;
    word = view.getInt32(from, true);
  }
  let sign = 1;
  if (word << 24 === 0x2d00_0000 /* - */) {
    sign = -1;
    from += 1;
    word = view.getInt32(from, true);
  }
  let digits = word ^ 0x3030_3030;
  let count = digitRun(digits);
  if (count === 0 || (count > 1 && digits << 24 === 0)) return 0;
  const whole = spelled(digits, count);
  from += count;
  let byte = arena[from]!;
  if (byte === 0x2e /* . */) {
    from += 1;
    digits = view.getInt32(from, true) ^ 0x3030_3030;
    count = digitRun(digits);
    if (count === 0) return 0;
    const power = shortPowers[count]!;
    // Dividing by a negative power keeps the sign of -0.0 …
    num[point] = (whole * power + spelled(digits, count)) / (power * sign);
    types[point] = 3; /* double */
    from += count;
    byte = arena[from]!;
  } else {
    // … and the integer -0 is 0.
    num[point] = (whole * sign) | 0;
    types[point] = 2; /* long */
  }
  if (byte === 0x2c /* , */) return ~from;
  return byte === 0x7d /* } */ ? from : 0;
}

/** How many of four bytes less `0`, lowest first, are digits. */
function digitRun(digits: number): number {
  // The top bit of every byte above nine; a carry only disturbs bytes behind such a one.
  const others = (digits + 0x7676_7676) | digits;
  if (others << 24 < 0) return 0;
  if (others << 16 < 0) return 1;
  if (others << 8 < 0) return 2;
  return others < 0 ? 3 : 4;
}

/** The number that the lowest `count` bytes (one to four) spell. */
function spelled(digits: number, count: number): number {
  // d0 d1 d2 d3 → d0 × 10 + d1, d2 × 10 + d3 → one number.
  const pairs = (((digits << (32 - count * 8)) * 0xa01) >>> 8) & 0x00ff_00ff;
  return (pairs * 0x64_0001) >>> 16;
}

const { imul } = Math;
const shortPowers: readonly number[] = [1, 10, 100, 1000, 10_000];

/** 999,999,999 is the largest number of nine digits, and nine digits always fit 31 bits. */
const digitsInWordMax = 9;

/**
 * @hot Scans the number at `from` and adds it as the value of the key `entry`. Returns the position
 * behind it.
 *
 * At most nine digits without an exponent (nearly everything a sensor sends) are summed up in an
 * integer; one correctly rounded division then gives what `JSON.parse` would, because both operands
 * are exact.
 */
export function scanNumber(scan: Scan, from: number, entry: number): number {
  const arena = scan.arena;
  let at = from;
  let byte = arena[at]!;
  const negative = byte === minus;
  if (negative) {
    at += 1;
    byte = arena[at]!;
  }
  const first = at;
  let mantissa = byte - zero;
  if (mantissa < 0 || mantissa > 9) return fail(scan, Outcome.jsonSyntax, at);
  at += 1;
  byte = arena[at]!;
  if (mantissa !== 0) {
    while (byte >= zero && byte <= nine) {
      mantissa = (imul(mantissa, 10) + byte - zero) | 0;
      at += 1;
      byte = arena[at]!;
    }
  }
  if (byte === dot) {
    const point = at;
    at += 1;
    byte = arena[at]!;
    while (byte >= zero && byte <= nine) {
      mantissa = (imul(mantissa, 10) + byte - zero) | 0;
      at += 1;
      byte = arena[at]!;
    }
    if (at - first > digitsInWordMax + 1 || at === point + 1 || (byte | 32) === e) {
      return scanAnyNumber(scan, from, entry);
    }
    const value = mantissa / decimalPowers[at - point - 1]!;
    scan.points.addNumber(entry, ValueType.double, negative ? -value : value);
    return at;
  }
  if (at - first > digitsInWordMax || (byte | 32) === e) return scanAnyNumber(scan, from, entry);
  scan.points.addNumber(entry, ValueType.long, negative ? (0 - mantissa) | 0 : mantissa);
  return at;
}

/** The same for every number that RFC 8259 allows. */
function scanAnyNumber(scan: Scan, from: number, entry: number): number {
  const arena = scan.arena;
  const end = numberEnd(arena, from);
  if (end < 0) return fail(scan, Outcome.jsonSyntax, ~end);
  const negative = arena[from] === minus;
  const first = negative ? from + 1 : from;
  if (isInteger(arena, first, end)) return addInteger(scan, first, end, negative, entry);
  const value = doubleOf(scan, first, end);
  if (value === Number.POSITIVE_INFINITY) return fail(scan, Outcome.numberOverflow, from);
  scan.points.addNumber(entry, ValueType.double, negative ? -value : value);
  return end;
}

/** Where the number at `from` ends, or the complement of the position that no number can have. */
export function numberEnd(arena: Uint8Array, from: number): number {
  let at = arena[from] === minus ? from + 1 : from;
  if (arena[at] === zero) at += 1;
  else {
    const digits = at;
    at = digitsEnd(arena, at);
    if (at === digits) return ~at;
  }
  if (arena[at] === dot) {
    const digits = at + 1;
    at = digitsEnd(arena, digits);
    if (at === digits) return ~at;
  }
  if (arena[at] === e || arena[at] === upperE) {
    at += 1;
    if (arena[at] === plus || arena[at] === minus) at += 1;
    const digits = at;
    at = digitsEnd(arena, digits);
    if (at === digits) return ~at;
  }
  return at;
}

function digitsEnd(arena: Uint8Array, from: number): number {
  let at = from;
  while (arena[at]! >= zero && arena[at]! <= nine) at += 1;
  return at;
}

function isInteger(arena: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) {
    if (arena[at]! < zero || arena[at]! > nine) return false;
  }
  return true;
}

function addInteger(
  scan: Scan,
  first: number,
  end: number,
  negative: boolean,
  entry: number,
): number {
  const points = scan.points;
  if (end - first <= plainDigitsMax) {
    readPlainInteger(scan, scan.arena, first, end);
    // Not `-value`: -0 is the integer 0.
    points.addNumber(entry, ValueType.long, negative ? 0 - scan.float : scan.float);
    return end;
  }
  if (readInt64(scan, scan.arena, first, end, negative)) {
    const value = exactInt64(scan.low, scan.high);
    if (exceedsFloat64Integers(scan.low, scan.high)) {
      points.addLong(entry, value, scan.low, scan.high);
    } else points.addNumber(entry, ValueType.long, value);
    return end;
  }
  const value = Number(scan.buffer.toString('latin1', first, end));
  if (value === Number.POSITIVE_INFINITY) {
    return fail(scan, Outcome.numberOverflow, negative ? first - 1 : first);
  }
  scan.widened += 1;
  points.addNumber(entry, ValueType.double, negative ? -value : value);
  return end;
}
