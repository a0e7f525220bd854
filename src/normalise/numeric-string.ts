import { Character } from './characters.js';
import { exactInt64, exceedsFloat64Integers, readInt64 } from './decimal.js';
import { textStart } from './points.js';
import { ValueType } from './result.js';
import type { Scan } from './scan.js';

const { minus, dot, zero, nine } = Character;
const decimalsMax = 16;

/**
 * Adds the string just appended to the texts at `textAt` as the value of the key `entry`: as a
 * number when the profile's `castNumericStrings` says it is one, else as the string it is.
 *
 * A number is: ASCII digits with at most one `-` in front and at most one point, which is not last.
 * Without a point it is a long if it fits int64; with one, a double if it has at most 16 decimals
 * and is finite. Everything else, exponents included, stays a string.
 */
export function addNumericString(scan: Scan, entry: number, textAt: number): void {
  const points = scan.points;
  const text = points.text;
  const end = points.textEnd;
  const from = textStart(text, textAt);
  const negative = from < end && text[from] === minus;
  const first = negative ? from + 1 : from;
  const decimals = decimalsOf(text, first, end);
  if (decimals === -1 && readInt64(scan, text, first, end, negative)) {
    points.textEnd = textAt;
    const value = exactInt64(scan.low, scan.high);
    if (exceedsFloat64Integers(scan.low, scan.high)) {
      points.addLong(entry, value, scan.low, scan.high);
    } else points.addNumber(entry, ValueType.long, value);
    return;
  }
  if (decimals > 0 && decimals <= decimalsMax) {
    const value = Number(latin1(text, first, end));
    if (value !== Number.POSITIVE_INFINITY) {
      points.textEnd = textAt;
      points.addNumber(entry, ValueType.double, negative ? -value : value);
      return;
    }
  }
  points.addText(entry, ValueType.string);
}

/** Digits behind the point; -1 for digits without a point; -2 for what is no number. */
function decimalsOf(text: Uint8Array, first: number, end: number): number {
  if (first >= end) return -2;
  let point = -1;
  for (let at = first; at < end; at += 1) {
    const byte = text[at]!;
    if (byte === dot && point < 0) point = at;
    else if (byte < zero || byte > nine) return -2;
  }
  if (point < 0) return -1;
  return point === end - 1 ? -2 : end - 1 - point;
}

function latin1(text: Uint8Array, from: number, end: number): string {
  return Buffer.from(text.buffer, text.byteOffset + from, end - from).toString('latin1');
}
