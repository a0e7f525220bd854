import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { NormaliseFlag } from './batch-layout.js';
import { Character } from './characters.js';
import { scanNumber, scanShortNumber } from './json-number.js';
import { scanKeyText, scanString } from './json-string.js';
import { afterSpace, literalEnd, scanNested } from './json-text.js';
import { KeyField, valuesKey } from './key-dictionary.js';
import { addNumericString } from './numeric-string.js';
import { ValueType } from './result.js';
import { envelopeKeySeen, fail, type Scan } from './scan.js';

const { quote, comma, colon, minus, zero, nine, space, backslash } = Character;
const { openBrace, openBracket, closeBrace, delete: deleteCharacter } = Character;

// Copies: V8 folds the constants of a module itself, but not what it imports.
const { entry: entryField, successor: successorField } = KeyField;

/** What an object is, for the prediction of its first key. */
export const ObjectContext = { message: 0, values: 1, attributes: 2 } as const;

/**
 * @hot Scans the members of an object whose `{` is at `from` and adds one point per value that is
 * not null. Returns the position behind `}`; the caller ends the run or rolls back.
 *
 * `depth` counts the containers open inside the object, itself included. With `envelope` the object
 * may be an envelope: at a key `ts` or `values` scanning stops with `envelopeKeySeen`.
 *
 * Whether a key repeats is first asked of a set of 32 bits. Only when that cannot tell, the points
 * so far are noted by key, once per object, and asked from then on: linear, whatever is sent.
 */
export function scanMembers(
  scan: Scan,
  from: number,
  depth: number,
  context: number,
  envelope: boolean,
): number {
  const { arena, points, keys } = scan;
  const { count: objectStart, textEnd: textsStart } = points;
  const firstSlot = keys.firstKeySlot(scan.deviceWord, context);
  const lowestKey = envelope ? valuesKey + 1 : 0;
  scan.previous = -1;
  scan.predicted = keys.firstKey[firstSlot]!;
  scan.members = 0;
  scan.seen = 0;
  scan.tracked = false;
  let at = scanPredicted(scan, from + 1, lowestKey);
  if (at >= 0 && scan.members === 0) {
    at = afterSpace(arena, at);
    if (arena[at] === closeBrace) return at + 1;
  }
  while (at >= 0) {
    at = scanMember(scan, at, depth, firstSlot, lowestKey, objectStart);
    if (at < 0) return -1;
    if (arena[at]! <= space) at = afterSpace(arena, at);
    if (arena[at] === comma) at = scanPredicted(scan, at + 1, lowestKey);
    else if (arena[at] === closeBrace) at = ~at;
    else return fail(scan, Outcome.jsonSyntax, at);
  }
  if (points.dead > 0) points.removeDead(objectStart, textsStart);
  return ~at + 1;
}

/**
 * Scans members from `from` on as long as they have the predicted key and a short number. Returns
 * the complement of the position of `}` when that ends them, else the position where a member
 * should begin that is none of these; if it has the predicted key all the same, `scan.valueAt` is
 * the position behind its colon, else 0.
 *
 * Almost without calls in its loop: what V8 has loaded of the arrays stays loaded. It is too large
 * to be put into its caller, and has to be: together with `scanShortNumber` it fills V8's budget.
 */
function scanPredicted(scan: Scan, from: number, lowestKey: number): number {
  const { arena, view, points } = scan;
  const { entry: entries, type: types, num } = points;
  // Beyond 16 bits of keys each point takes the long way.
  scan.valueAt = 0;
  if (points.entryHigh !== undefined) return from;
  const table = scan.keys.table;
  const first = points.count | 0;
  let point = first;
  let key = scan.predicted | 0;
  let previous = scan.previous | 0;
  let seen = scan.seen | 0;
  let at = from | 0;
  const lowest = lowestKey | 0;
  let value = 0;
  for (;;) {
    if (arena[at] === space) at = (at + 1) | 0;
    // Keys up to 13 bytes, most of them, take no loop. Bytes beyond the message are read only when
    // all before them match, so never more than the four behind the terminator.
    value = 0;
    if (view.getInt32(at, true) !== table[key + 7]) break;
    const size = table[key]! | 0;
    const last = (at + size - 4) | 0;
    if (size > 8) {
      if (view.getInt32(at + 4, true) !== table[key + 8]) break;
      if (size > 12) {
        if (view.getInt32(at + 8, true) !== table[key + 9]) break;
        if (size > 16 && !matchMiddle(view, table, key, at, last)) break;
      }
    }
    if (view.getInt32(last, true) !== table[key + 6]) break;
    value = (last + 4) | 0;
    const entry = table[(key + entryField) | 0]! | 0;
    const bit = 1 << entry;
    if (entry >>> 16 !== 0 || key < lowest || (seen & bit) !== 0) break;
    const next = scanShortNumber(arena, view, types, num, point, value);
    if (next === 0) break;
    entries[point] = entry;
    seen |= bit;
    point = (point + 1) | 0;
    previous = key;
    key = table[(key + successorField) | 0]! | 0;
    at = ~next;
    if (next > 0) break;
    at = (at + 1) | 0;
  }
  scan.valueAt = value;
  scan.members += point - first;
  scan.predicted = key;
  scan.previous = previous;
  scan.seen = seen;
  points.count = point;
  return at;
}

/** Compares the words of a long key between its first three and its last. */
function matchMiddle(
  view: DataView,
  table: number[],
  key: number,
  start: number,
  last: number,
): boolean {
  let field = key + 10;
  for (let position = start + 12; position < last; position += 4) {
    if (view.getInt32(position, true) !== table[field]) return false;
    field += 1;
  }
  return true;
}

/** Scans one member, whatever it is. */
function scanMember(
  scan: Scan,
  from: number,
  depth: number,
  firstSlot: number,
  lowestKey: number,
  objectStart: number,
): number {
  const { points, keys } = scan;
  let key = scan.predicted;
  let next = scan.valueAt;
  if (next === 0) {
    next = scanKey(scan, from);
    if (next < 0) return -1;
    key = scan.key;
    keys.remember(scan.previous, firstSlot, key);
  }
  if (key < lowestKey) return fail(scan, envelopeKeySeen, from);
  scan.members += 1;
  if (scan.members > limits.keysPerObjectMax) {
    return fail(scan, Outcome.keysTooMany, afterSpace(scan.arena, from));
  }
  let entry = keys.table[key + entryField]!;
  if (entry < 0) entry = keys.enter(key);
  if ((scan.seen & (1 << entry)) === 0) scan.seen |= 1 << entry;
  else {
    if (!scan.tracked) points.trackKeys(keys.pointOf, objectStart);
    scan.tracked = true;
    scan.seen = -1;
    points.replaceFormer(keys.pointOf, entry, objectStart);
  }
  scan.previous = key;
  scan.predicted = keys.table[key + successorField]!;
  return scanValue(scan, next, entry, depth);
}

/**
 * Finds or adds the key at `from` (white space may stand before it), leaves its handle in
 * `scan.key` and returns the position behind the colon.
 */
function scanKey(scan: Scan, from: number): number {
  const { arena, keys } = scan;
  const open = afterSpace(arena, from);
  if (arena[open] !== quote) return fail(scan, Outcome.jsonSyntax, open);
  let end = open + 1;
  while (isPlain(arena[end]!)) end += 1;
  const length = end - open - 1;
  if (arena[end] === quote && length > 0 && length <= limits.keyCharactersMax) {
    scan.key = keys.identify(arena, open + 1, end);
    end += 1;
  } else {
    end = scanKeyText(scan, open + 1);
    if (end < 0) return -1;
    scan.key = keys.identify(scan.scratch, 0, scan.low);
  }
  end = afterSpace(arena, end);
  return arena[end] === colon ? end + 1 : fail(scan, Outcome.jsonSyntax, end);
}

/** Printable ASCII that stands for itself. */
function isPlain(byte: number): boolean {
  return byte >= space && byte < deleteCharacter && byte !== quote && byte !== backslash;
}

/** Scans any value, white space before it included, and adds its point. */
function scanValue(scan: Scan, from: number, entry: number, depth: number): number {
  const { arena, points } = scan;
  const at = afterSpace(arena, from);
  const byte = arena[at]!;
  if (byte === quote) {
    const textAt = points.textEnd;
    const end = scanString(scan, at + 1);
    if (end < 0) return -1;
    if ((scan.flags[scan.row]! & NormaliseFlag.castNumericStrings) !== 0)
      addNumericString(scan, entry, textAt);
    else points.addText(entry, ValueType.string);
    return end;
  }
  if (byte === openBrace || byte === openBracket) {
    const end = scanNested(scan, at, depth);
    if (end >= 0) points.addText(entry, ValueType.json);
    return end;
  }
  if ((byte >= zero && byte <= nine) || byte === minus) return scanNumber(scan, at, entry);
  const end = literalEnd(arena, at);
  if (end < 0) return fail(scan, Outcome.jsonSyntax, ~end);
  if (byte === Character.t) points.addNumber(entry, ValueType.bool, 1);
  else if (byte === Character.f) points.addNumber(entry, ValueType.bool, 0);
  return end;
}
