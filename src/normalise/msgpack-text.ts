import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { Character } from './characters.js';
import { exactInt64, exceedsFloat64Integers } from './decimal.js';
import { readToken, TokenKind } from './msgpack-token.js';
import { fail, type Scan } from './scan.js';
import { utf8Length } from './utf8.js';

const { quote, comma, colon, backslash, space, zero } = Character;
const { openBrace, closeBrace, openBracket, closeBracket } = Character;

/** JSON text of a token takes at most this many times the token's bytes: `false,` for one byte. */
export const textBytesPerByteMax = 6;

/**
 * Appends the array or map whose head is at `from` to the texts, as JSON, and returns the position
 * behind it. `depth` is the number of containers around it. Integers are written digit by digit,
 * floats in the shortest form that reads back the same, with `.0` when they are integral. A map's
 * keys must be strings. Iterative and linear, like its JSON twin.
 */
export function scanMsgpackNested(scan: Scan, from: number, depth: number): number {
  const { nesting, remaining } = scan;
  const text = scan.points.text;
  let out = scan.points.textEnd + 1;
  let open = depth;
  let at = from;
  for (;;) {
    const isKey = open > depth && nesting[open] === 1 && remaining[open]! % 2 === 0;
    const token = at;
    at = readToken(scan, at);
    if (at < 0) return -1;
    const kind = scan.tokenKind;
    if (isKey && kind !== TokenKind.string) return fail(scan, Outcome.keyInvalid, token);
    if (kind === TokenKind.map || kind === TokenKind.array) {
      open += 1;
      if (open > limits.jsonDepthMax) return fail(scan, Outcome.jsonDepth, token);
      nesting[open] = kind === TokenKind.map ? 1 : 0;
      remaining[open] = kind === TokenKind.map ? scan.tokenSize * 2 : scan.tokenSize;
      text[out] = kind === TokenKind.map ? openBrace : openBracket;
      out += 1;
      if (remaining[open] !== 0) continue;
    } else {
      out = writeScalar(scan, token, at, text, out);
      if (out < 0) return -1;
      if (kind === TokenKind.string) at += scan.tokenSize;
      remaining[open]! -= 1;
    }
    while (remaining[open] === 0) {
      text[out] = nesting[open] === 1 ? closeBrace : closeBracket;
      out += 1;
      open -= 1;
      if (open === depth) {
        scan.points.endText(out);
        return at;
      }
      remaining[open]! -= 1;
    }
    text[out] = nesting[open] === 1 && remaining[open]! % 2 === 1 ? colon : comma;
    out += 1;
  }
}

/** Checks the value at `from` with all that is in it; returns the position behind it. */
export function skipMsgpack(scan: Scan, from: number, depth: number): number {
  const { nesting, remaining } = scan;
  let open = depth;
  let at = from;
  do {
    const isKey = open > depth && nesting[open] === 1 && remaining[open]! % 2 === 0;
    const token = at;
    at = readToken(scan, at);
    if (at < 0) return -1;
    const kind = scan.tokenKind;
    if (isKey && kind !== TokenKind.string) return fail(scan, Outcome.keyInvalid, token);
    if (kind === TokenKind.string) {
      at = checkUtf8(scan, at, at + scan.tokenSize);
      if (at < 0) return -1;
    }
    if (open > depth) remaining[open]! -= 1;
    if (kind === TokenKind.map || kind === TokenKind.array) {
      open += 1;
      if (open > limits.jsonDepthMax) return fail(scan, Outcome.jsonDepth, token);
      nesting[open] = kind === TokenKind.map ? 1 : 0;
      remaining[open] = kind === TokenKind.map ? scan.tokenSize * 2 : scan.tokenSize;
    }
    while (open > depth && remaining[open] === 0) open -= 1;
  } while (open > depth);
  return at;
}

/** Returns `end` when `[from, end)` is well-formed UTF-8, else refuses the message. */
export function checkUtf8(scan: Scan, from: number, end: number): number {
  const arena = scan.arena;
  let at = from;
  while (at < end) {
    if (arena[at]! < 128) {
      at += 1;
      continue;
    }
    const length = utf8Length(arena, at);
    if (length === 0 || at + length > end) return fail(scan, Outcome.utf8Invalid, at);
    at += length;
  }
  return end;
}

/**
 * Writes the token just read (its head at `token`, what follows at `at`); returns where text goes
 * on.
 */
function writeScalar(scan: Scan, token: number, at: number, text: Uint8Array, out: number): number {
  switch (scan.tokenKind) {
    case TokenKind.string:
      if (checkUtf8(scan, at, at + scan.tokenSize) < 0) return -1;
      return writeString(scan.arena, at, at + scan.tokenSize, text, out);
    case TokenKind.integer:
    case TokenKind.integerBeyond:
      return writeAscii(text, out, integerText(scan));
    case TokenKind.float: {
      const value = scan.float;
      if (!Number.isFinite(value)) return fail(scan, Outcome.numberOverflow, token);
      return writeAscii(text, out, floatText(value));
    }
    case TokenKind.nil:
      return writeAscii(text, out, 'null');
    default:
      return writeAscii(text, out, scan.tokenKind === TokenKind.true ? 'true' : 'false');
  }
}

function integerText(scan: Scan): string {
  const { low, high } = scan;
  if (scan.tokenKind === TokenKind.integer && !exceedsFloat64Integers(low, high)) {
    return String(exactInt64(low, high));
  }
  const bits = (BigInt(high) << 32n) | BigInt(low);
  return String(scan.tokenKind === TokenKind.integer ? BigInt.asIntN(64, bits) : bits);
}

function floatText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const shortest = String(value);
  return Number.isInteger(value) && !shortest.includes('e') ? `${shortest}.0` : shortest;
}

function writeAscii(text: Uint8Array, from: number, ascii: string): number {
  for (let index = 0; index < ascii.length; index += 1)
    text[from + index] = ascii.charCodeAt(index);
  return from + ascii.length;
}

/** Writes `bytes[from, end)` as a JSON string, escaping what JSON wants escaped. */
function writeString(
  bytes: Uint8Array,
  from: number,
  end: number,
  text: Uint8Array,
  start: number,
): number {
  let out = start;
  text[out] = quote;
  out += 1;
  for (let at = from; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte < space) {
      writeAscii(text, out, '\\u00');
      text[out + 4] = zero + (byte >> 4);
      const digit = byte & 15;
      text[out + 5] = digit < 10 ? zero + digit : 0x61 + digit - 10;
      out += 6;
      continue;
    }
    if (byte === quote || byte === backslash) {
      text[out] = backslash;
      out += 1;
    }
    text[out] = byte;
    out += 1;
  }
  text[out] = quote;
  return out + 1;
}
