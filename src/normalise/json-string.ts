import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { Character } from './characters.js';
import { fail, type Scan } from './scan.js';
import { utf8Length, writeUtf8 } from './utf8.js';

const { quote, backslash, space, slash, b, f, n, r, t, u } = Character;

/**
 * @hot Appends the string whose first byte (behind the quote) is `from` to the texts, escapes
 * resolved, and returns the position behind its closing quote.
 *
 * A surrogate that stands alone has no UTF-8 form: such a string is refused as invalid UTF-8.
 */
export function scanString(scan: Scan, from: number): number {
  const arena = scan.arena;
  const points = scan.points;
  const text = points.text;
  let out = points.textEnd + 1;
  const copied = copyPlain(scan.view, from, points.textView, out);
  let at = from + copied;
  out += copied;
  for (;;) {
    const byte = arena[at]!;
    if (byte === quote) break;
    if (byte === backslash) {
      const point = escapedPoint(scan, at);
      if (point < 0) return -1;
      out = writeUtf8(text, out, point);
      at += escapeLength(arena, at, point);
    } else if (byte < 128) {
      if (byte < space) return fail(scan, Outcome.jsonSyntax, at);
      text[out] = byte;
      out += 1;
      at += 1;
    } else {
      const length = utf8Length(arena, at);
      if (length === 0) return fail(scan, Outcome.utf8Invalid, at);
      for (let index = 0; index < length; index += 1) text[out + index] = arena[at + index]!;
      out += length;
      at += length;
    }
  }
  points.endText(out);
  return at + 1;
}

/**
 * Copies as many bytes as stand for themselves, in words of four, and returns their number. Writes,
 * but does not count, up to four bytes more.
 */
function copyPlain(from: DataView, start: number, to: DataView, out: number): number {
  let copied = 0;
  for (;;) {
    const word = from.getInt32(start + copied, true);
    const quotes = word ^ 0x2222_2222;
    const backslashes = word ^ 0x5c5c_5c5c;
    // The top bit of a byte is set where the byte is zero, below a space, or not ASCII.
    const others =
      ((quotes - 0x0101_0101) & ~quotes) |
      ((backslashes - 0x0101_0101) & ~backslashes) |
      ((word - 0x2020_2020) & ~word) |
      word;
    to.setInt32(out + copied, word, true);
    if ((others & 0x8080_8080) !== 0) return copied;
    copied += 4;
  }
}

/**
 * Checks the string whose first byte is `from` and returns the position behind its closing quote;
 * its bytes are copied verbatim to `text` from `out` on (they are as many).
 */
export function copyString(scan: Scan, from: number, text: Uint8Array, out: number): number {
  const arena = scan.arena;
  const shift = out - from;
  let at = from;
  for (;;) {
    const byte = arena[at]!;
    let length = 1;
    if (byte === quote) break;
    if (byte === backslash) {
      const point = escapedPoint(scan, at);
      if (point < 0) return -1;
      length = escapeLength(arena, at, point);
    } else if (byte < space) return fail(scan, Outcome.jsonSyntax, at);
    else if (byte >= 128) {
      length = utf8Length(arena, at);
      if (length === 0) return fail(scan, Outcome.utf8Invalid, at);
    }
    for (const next = at + length; at < next; at += 1) text[at + shift] = arena[at]!;
  }
  text[at + shift] = quote;
  return at + 1;
}

/**
 * Decodes a key whose first byte is `from` into `scan.scratch` and leaves its length in bytes in
 * `scan.low`; returns the position behind its closing quote. A key that no telemetry key may be is
 * `Outcome.keyInvalid`, at its opening quote.
 */
export function scanKeyText(scan: Scan, from: number): number {
  const arena = scan.arena;
  const scratch = scan.scratch;
  let out = 0;
  let characters = 0;
  let valid = true;
  let at = from;
  for (;;) {
    const byte = arena[at]!;
    if (byte === quote) break;
    if (byte < space) return fail(scan, Outcome.jsonSyntax, at);
    let point = byte;
    let length = 1;
    if (byte === backslash) {
      point = escapedPoint(scan, at);
      if (point < 0) return -1;
      length = escapeLength(arena, at, point);
    } else if (byte >= 128) {
      length = utf8Length(arena, at);
      if (length === 0) return fail(scan, Outcome.utf8Invalid, at);
      // U+0080 … U+009F: of two bytes, the first 0xC2.
      point = byte === 0xc2 ? arena[at + 1]! : 0xffff;
    }
    characters += 1;
    if (isControl(point) || characters > limits.keyCharactersMax) valid = false;
    if (valid) out = keep(scan, at, byte === backslash ? point : -1, length, out);
    at += length;
  }
  if (!valid || characters === 0) return fail(scan, Outcome.keyInvalid, from - 1);
  scan.low = out;
  scratch[out] = 0;
  return at + 1;
}

/** Unicode's category Cc. */
export function isControl(point: number): boolean {
  return point < space || (point >= Character.delete && point < 0xa0);
}

function keep(scan: Scan, at: number, point: number, length: number, out: number): number {
  if (point >= 0) return writeUtf8(scan.scratch, out, point);
  for (let index = 0; index < length; index += 1) {
    scan.scratch[out + index] = scan.arena[at + index]!;
  }
  return out + length;
}

/** The code point that the escape at `at` (its backslash) stands for, or -1. */
function escapedPoint(scan: Scan, at: number): number {
  const arena = scan.arena;
  const letter = arena[at + 1]!;
  switch (letter) {
    case quote:
    case backslash:
    case slash:
      return letter;
    case b:
      return 0x08;
    case f:
      return 0x0c;
    case n:
      return 0x0a;
    case r:
      return 0x0d;
    case t:
      return 0x09;
    case u:
      break;
    default:
      return fail(scan, Outcome.jsonSyntax, at + 1);
  }
  const unit = hexUnit(scan, at + 2);
  if (unit < 0 || unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || arena[at + 6] !== backslash || arena[at + 7] !== u) {
    return fail(scan, Outcome.utf8Invalid, at);
  }
  const low = hexUnit(scan, at + 8);
  if (low < 0) return -1;
  if (low < 0xdc00 || low > 0xdfff) return fail(scan, Outcome.utf8Invalid, at);
  return 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/** Bytes of the escape at `at`, once `escapedPoint` has accepted it. */
function escapeLength(arena: Uint8Array, at: number, point: number): number {
  if (point > 0xffff) return 12;
  return arena[at + 1] === u ? 6 : 2;
}

function hexUnit(scan: Scan, from: number): number {
  let unit = 0;
  for (let at = from; at < from + 4; at += 1) {
    const byte = scan.arena[at]!;
    const letter = byte | 32;
    if (byte >= 0x30 && byte <= 0x39) unit = unit * 16 + byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
    else return fail(scan, Outcome.jsonSyntax, at);
  }
  return unit;
}
