import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { NormaliseFlag } from './batch-layout.js';
import { exactInt64, exceedsFloat64Integers } from './decimal.js';
import { isControl } from './json-string.js';
import { KeyField, tsKey, valuesKey } from './key-dictionary.js';
import { checkUtf8, scanMsgpackNested, skipMsgpack } from './msgpack-text.js';
import { readToken, TokenKind } from './msgpack-token.js';
import { addNumericString } from './numeric-string.js';
import { arrivalTime } from './points.js';
import { ValueType } from './result.js';
import { envelopeKeySeen, fail, type Scan } from './scan.js';
import { acceptTimestamp, acceptTimestampText } from './timestamp.js';

/**
 * Adds the points of one telemetry message in MessagePack: the data model of JSON, with integers as
 * longs and floats as doubles whatever their value. Returns the message's end or -1.
 */
export function scanTelemetryMsgpack(scan: Scan): number {
  const first = readToken(scan, scan.start);
  if (first < 0) return -1;
  let at: number;
  if (scan.tokenKind === TokenKind.map) {
    at = scanElement(scan, first, scan.tokenSize, 1);
  } else if (scan.tokenKind === TokenKind.array) {
    at = scanElements(scan, first, scan.tokenSize);
  } else return fail(scan, Outcome.shapeInvalid, scan.start);
  return at < 0 ? -1 : scanEnd(scan, at);
}

/** Adds the attributes of one message as points: a map, never an envelope. */
export function scanAttributesMsgpack(scan: Scan): number {
  const first = readToken(scan, scan.start);
  if (first < 0) return -1;
  if (scan.tokenKind !== TokenKind.map) return fail(scan, Outcome.shapeInvalid, scan.start);
  const end = scanMembers(scan, first, scan.tokenSize, 1, false);
  return end < 0 ? -1 : scanEnd(scan, end);
}

function scanEnd(scan: Scan, at: number): number {
  return at === scan.end ? at : fail(scan, Outcome.msgpackInvalid, at);
}

function scanElements(scan: Scan, from: number, elements: number): number {
  const points = scan.points;
  const countMax = points.count + limits.pointsPerMessageMax;
  let at = from;
  for (let element = 0; element < elements; element += 1) {
    const head = at;
    at = readToken(scan, at);
    if (at < 0) return -1;
    if (scan.tokenKind !== TokenKind.map) return fail(scan, Outcome.shapeInvalid, head);
    at = scanElement(scan, at, scan.tokenSize, 2);
    if (at < 0) return -1;
    if (points.count > countMax) return fail(scan, Outcome.pointsTooMany, head);
  }
  return at;
}

/** As in JSON: the common form first, the definition where that cannot decide. */
function scanElement(scan: Scan, from: number, members: number, depth: number): number {
  const { points, keys } = scan;
  const { count, textEnd, duplicates } = points;
  const entries = keys.used.length;
  const widened = scan.widened;
  const end = scanMembers(scan, from, members, depth, true);
  if (end >= 0) {
    points.closeRun(scan.row, arrivalTime);
    return end;
  }
  const { outcome } = scan;
  if (
    outcome === Outcome.msgpackInvalid ||
    outcome === Outcome.jsonDepth ||
    outcome === Outcome.utf8Invalid
  ) {
    return -1;
  }
  points.rollBack(count, textEnd, points.runs, duplicates);
  keys.releaseEntries(entries);
  scan.widened = widened;
  return scanAnyMap(scan, from, members, depth);
}

function scanAnyMap(scan: Scan, from: number, members: number, depth: number): number {
  const end = surveyMap(scan, from, members, depth);
  if (end < 0) return -1;
  const { tsAt, valuesAt, points } = scan;
  if (tsAt < 0 || valuesAt < 0) {
    const membersEnd = scanMembers(scan, from, members, depth, false);
    if (membersEnd >= 0) points.closeRun(scan.row, arrivalTime);
    return membersEnd;
  }
  const first = readToken(scan, valuesAt);
  if (scan.tokenKind !== TokenKind.map) return fail(scan, Outcome.shapeInvalid, valuesAt);
  const size = scan.tokenSize;
  if (scanTimestamp(scan, tsAt) < 0) return -1;
  const timestamp = scan.timestamp;
  if (scanMembers(scan, first, size, depth + 1, false) < 0) return -1;
  points.closeRun(scan.row, timestamp);
  return end;
}

/** Checks a whole map and notes where its last `ts` and its last `values` have their values. */
function surveyMap(scan: Scan, from: number, members: number, depth: number): number {
  let tsAt = -1;
  let valuesAt = -1;
  let at = from;
  for (let member = 0; member < members; member += 1) {
    const head = at;
    if (member >= limits.keysPerObjectMax) return fail(scan, Outcome.keysTooMany, head);
    at = readToken(scan, at);
    if (at < 0) return -1;
    if (scan.tokenKind !== TokenKind.string) return fail(scan, Outcome.keyInvalid, head);
    const size = scan.tokenSize;
    const end = checkUtf8(scan, at, at + size);
    if (end < 0) return -1;
    if (isName(scan, at, size, 'ts')) tsAt = end;
    else if (isName(scan, at, size, 'values')) valuesAt = end;
    at = skipMsgpack(scan, end, depth);
    if (at < 0) return -1;
  }
  scan.tsAt = tsAt;
  scan.valuesAt = valuesAt;
  return at;
}

function isName(scan: Scan, at: number, size: number, name: string): boolean {
  if (size !== name.length) return false;
  for (let index = 0; index < size; index += 1) {
    if (scan.arena[at + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}

/** Scans `members` pairs from `from` on, see the function of this name for JSON. */
function scanMembers(
  scan: Scan,
  from: number,
  members: number,
  depth: number,
  envelope: boolean,
): number {
  const { points, keys } = scan;
  const objectStart = points.count;
  const textsStart = points.textEnd;
  let at = from;
  for (let member = 0; member < members; member += 1) {
    if (member >= limits.keysPerObjectMax) return fail(scan, Outcome.keysTooMany, at);
    const head = at;
    at = scanKey(scan, at);
    if (at < 0) return -1;
    const key = scan.key;
    if (envelope && (key === tsKey || key === valuesKey)) return fail(scan, envelopeKeySeen, head);
    let entry = keys.table[key + KeyField.entry]!;
    if (entry < 0) entry = keys.enter(key);
    points.replaceFormer(keys.pointOf, entry, objectStart);
    at = scanValue(scan, at, entry, depth);
    if (at < 0) return -1;
  }
  if (points.dead > 0) points.removeDead(objectStart, textsStart);
  return at;
}

function scanKey(scan: Scan, head: number): number {
  const arena = scan.arena;
  const from = readToken(scan, head);
  if (from < 0) return -1;
  if (scan.tokenKind !== TokenKind.string) return fail(scan, Outcome.keyInvalid, head);
  const end = from + scan.tokenSize;
  if (checkUtf8(scan, from, end) < 0) return -1;
  let characters = 0;
  for (let at = from; at < end; at += 1) {
    const byte = arena[at]!;
    // Continuation bytes count with their lead; 0xC2 leads U+0080 … U+00BF.
    if ((byte & 0xc0) !== 0x80) characters += 1;
    if (byte < 128 ? isControl(byte) : byte === 0xc2 && isControl(arena[at + 1]!)) {
      return fail(scan, Outcome.keyInvalid, head);
    }
  }
  if (characters === 0 || characters > limits.keyCharactersMax) {
    return fail(scan, Outcome.keyInvalid, head);
  }
  scan.key = scan.keys.identify(arena, from, end);
  return end;
}

function scanValue(scan: Scan, head: number, entry: number, depth: number): number {
  const points = scan.points;
  const at = readToken(scan, head);
  if (at < 0) return -1;
  switch (scan.tokenKind) {
    case TokenKind.nil:
      return at;
    case TokenKind.false:
    case TokenKind.true:
      points.addNumber(entry, ValueType.bool, scan.tokenKind === TokenKind.true ? 1 : 0);
      return at;
    case TokenKind.integer:
    case TokenKind.integerBeyond:
      addInteger(scan, entry);
      return at;
    case TokenKind.float:
      if (!Number.isFinite(scan.float)) return fail(scan, Outcome.numberOverflow, head);
      points.addNumber(entry, ValueType.double, scan.float);
      return at;
    case TokenKind.string:
      return scanString(scan, at, at + scan.tokenSize, entry);
    default: {
      const end = scanMsgpackNested(scan, head, depth);
      if (end >= 0) points.addText(entry, ValueType.json);
      return end;
    }
  }
}

function addInteger(scan: Scan, entry: number): void {
  const { points, low, high } = scan;
  if (scan.tokenKind === TokenKind.integerBeyond) {
    scan.widened += 1;
    points.addNumber(entry, ValueType.double, high * 2 ** 32 + low);
  } else if (exceedsFloat64Integers(low, high)) {
    points.addLong(entry, exactInt64(low, high), low, high);
  } else points.addNumber(entry, ValueType.long, exactInt64(low, high));
}

function scanString(scan: Scan, from: number, end: number, entry: number): number {
  if (checkUtf8(scan, from, end) < 0) return -1;
  const points = scan.points;
  const textAt = points.textEnd;
  points.text.set(scan.arena.subarray(from, end), textAt + 1);
  points.endText(textAt + 1 + end - from);
  if ((scan.flags[scan.row]! & NormaliseFlag.castNumericStrings) !== 0)
    addNumericString(scan, entry, textAt);
  else points.addText(entry, ValueType.string);
  return end;
}

/**
 * The value of `ts`: an integer, a string of one, or a float64 that is integral: encoders of
 * JavaScript write every number beyond 32 bits as a float.
 */
function scanTimestamp(scan: Scan, head: number): number {
  const at = readToken(scan, head);
  if (at < 0) return -1;
  switch (scan.tokenKind) {
    case TokenKind.integer:
      scan.timestamp = exactInt64(scan.low, scan.high);
      return acceptTimestamp(scan, head);
    case TokenKind.float:
      if (!Number.isInteger(scan.float)) return fail(scan, Outcome.timestampInvalid, head);
      scan.timestamp = scan.float;
      return acceptTimestamp(scan, head);
    case TokenKind.string:
      return acceptTimestampText(scan, scan.arena, at, at + scan.tokenSize, head);
    default:
      return fail(scan, Outcome.timestampInvalid, head);
  }
}
