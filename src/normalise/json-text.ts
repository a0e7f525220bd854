import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { Character } from './characters.js';
import { numberEnd } from './json-number.js';
import { copyString } from './json-string.js';
import { fail, type Scan } from './scan.js';

const { quote, comma, colon, minus, zero, nine, openBrace, closeBrace } = Character;
const { openBracket, closeBracket, space, tab, lineFeed, carriageReturn } = Character;

/** What may stand at a position of a document. */
const Expect = { value: 0, valueOrEnd: 1, key: 2, keyOrEnd: 3, separator: 4 } as const;

/**
 * Appends the object or array that opens at `from` to the texts, without white space outside
 * strings and otherwise byte for byte, and returns the position behind it. `depth` is the number of
 * containers around it. Iterative, so that depth costs no stack; linear in the bytes.
 */
export function scanNested(scan: Scan, from: number, depth: number): number {
  const arena = scan.arena;
  const nesting = scan.nesting;
  const text = scan.points.text;
  let out = scan.points.textEnd + 1;
  let open = depth;
  let expect: number = Expect.value;
  let at = from;
  for (;;) {
    const byte = arena[at]!;
    if (isSpace(byte)) {
      at += 1;
      continue;
    }
    let next = at + 1;
    if (expect === Expect.separator) {
      const inObject = nesting[open] === 1;
      if (byte === comma) expect = inObject ? Expect.key : Expect.value;
      else if (byte === (inObject ? closeBrace : closeBracket)) open -= 1;
      else return fail(scan, Outcome.jsonSyntax, at);
      text[out] = byte;
    } else if (byte === closeBracket && expect === Expect.valueOrEnd) {
      text[out] = byte;
      expect = Expect.separator;
      open -= 1;
    } else if (expect === Expect.keyOrEnd || expect === Expect.key) {
      if (byte === closeBrace && expect === Expect.keyOrEnd) {
        text[out] = byte;
        expect = Expect.separator;
        open -= 1;
      } else {
        next = copyName(scan, at, text, out);
        if (next < 0) return -1;
        out = scan.low;
        at = next;
        expect = Expect.value;
        continue;
      }
    } else if (byte === openBrace || byte === openBracket) {
      open += 1;
      if (open > limits.jsonDepthMax) return fail(scan, Outcome.jsonDepth, at);
      nesting[open] = byte === openBrace ? 1 : 0;
      expect = byte === openBrace ? Expect.keyOrEnd : Expect.valueOrEnd;
      text[out] = byte;
    } else {
      next = copyScalar(scan, at, text, out);
      if (next < 0) return -1;
      expect = Expect.separator;
    }
    out += next - at;
    at = next;
    if (open === depth) break;
  }
  scan.points.endText(out);
  return at;
}

/**
 * Copies a member's name and its colon; returns the position behind the colon and leaves where the
 * text goes on in `scan.low`.
 */
function copyName(scan: Scan, from: number, text: Uint8Array, out: number): number {
  if (scan.arena[from] !== quote) return fail(scan, Outcome.jsonSyntax, from);
  text[out] = quote;
  const end = copyString(scan, from + 1, text, out + 1);
  if (end < 0) return -1;
  const at = afterSpace(scan.arena, end);
  if (scan.arena[at] !== colon) return fail(scan, Outcome.jsonSyntax, at);
  text[out + end - from] = colon;
  scan.low = out + end - from + 1;
  return at + 1;
}

/** Copies a string, number or literal verbatim; returns the position behind it. */
function copyScalar(scan: Scan, from: number, text: Uint8Array, out: number): number {
  const arena = scan.arena;
  const byte = arena[from]!;
  if (byte === quote) {
    text[out] = quote;
    return copyString(scan, from + 1, text, out + 1);
  }
  const end =
    byte === minus || (byte >= zero && byte <= nine)
      ? numberEnd(arena, from)
      : literalEnd(arena, from);
  if (end < 0) return fail(scan, Outcome.jsonSyntax, ~end);
  for (let at = from; at < end; at += 1) text[out + at - from] = arena[at]!;
  return end;
}

/** Where `true`, `false` or `null` ends, or the complement of the position that is at fault. */
export function literalEnd(arena: Uint8Array, from: number): number {
  const word = literals[arena[from]! & 31]!;
  for (let index = 0; index < word.length; index += 1) {
    if (arena[from + index] !== word[index]) return ~(from + index);
  }
  return from + word.length;
}

/** Checks any value and returns the position behind it; nothing is kept. */
export function skipValue(scan: Scan, from: number, depth: number): number {
  const { points } = scan;
  const textEnd = points.textEnd;
  const byte = scan.arena[from]!;
  const end =
    byte === openBrace || byte === openBracket
      ? scanNested(scan, from, depth)
      : copyScalar(scan, from, points.text, textEnd + 1);
  points.textEnd = textEnd;
  return end;
}

/** The first position from `from` on that is not white space. */
export function afterSpace(arena: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(arena[at]!)) at += 1;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === space || byte === lineFeed || byte === carriageReturn || byte === tab;
}

/** By the low five bits of the first letter; a word that cannot match stands for the rest. */
const literals: readonly Uint8Array[] = Array.from({ length: 32 }, (_, bits) => {
  const word = ['true', 'false', 'null'].find((name) => (name.charCodeAt(0) & 31) === bits);
  return Uint8Array.from(Buffer.from(word ?? 'true'));
});
