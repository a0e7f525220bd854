import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { Character } from './characters.js';
import { ObjectContext, scanMembers } from './json-members.js';
import { numberEnd } from './json-number.js';
import { copyString, scanKeyText, scanString } from './json-string.js';
import { afterSpace, skipValue } from './json-text.js';
import { arrivalTime, textStart } from './points.js';
import { envelopeKeySeen, fail, type Scan } from './scan.js';
import { acceptPlainTimestamp, acceptTimestampText } from './timestamp.js';

const { quote, comma, colon, minus, zero, nine } = Character;
const { openBrace, closeBrace, openBracket, closeBracket } = Character;

/**
 * @hot Adds the points of one telemetry message: an object of keys and values, an envelope
 * `{"ts":…,"values":{…}}`, or an array of either. Returns the message's end, or -1 when it is
 * refused; the caller then takes its points back.
 */
export function scanTelemetryJson(scan: Scan): number {
  const arena = scan.arena;
  let at = scan.start;
  if (arena[at] !== openBrace) at = afterSpace(arena, at);
  if (arena[at] === openBrace) at = scanElement(scan, at, 1);
  else if (arena[at] === openBracket) at = scanElements(scan, at);
  else return failShape(scan, at);
  return at < 0 ? -1 : scanEnd(scan, at);
}

/**
 * Adds the attributes of one message as points: an object of keys and values, never an envelope.
 */
export function scanAttributesJson(scan: Scan): number {
  const at = afterSpace(scan.arena, scan.start);
  if (scan.arena[at] !== openBrace) return failShape(scan, at);
  const end = scanMembers(scan, at, 1, ObjectContext.attributes, false);
  return end < 0 ? -1 : scanEnd(scan, end);
}

function scanEnd(scan: Scan, from: number): number {
  if (from === scan.end) return from;
  const at = afterSpace(scan.arena, from);
  return at === scan.end ? at : fail(scan, Outcome.jsonSyntax, at);
}

/** Some other value stands where an object is expected, or nothing that is JSON. */
function failShape(scan: Scan, at: number): number {
  const byte = scan.arena[at]!;
  const isValue =
    byte === quote ||
    byte === minus ||
    (byte >= zero && byte <= nine) ||
    byte === openBracket ||
    byte === Character.t ||
    byte === Character.f ||
    byte === Character.n;
  return fail(scan, isValue ? Outcome.shapeInvalid : Outcome.jsonSyntax, at);
}

function scanElements(scan: Scan, from: number): number {
  const arena = scan.arena;
  const points = scan.points;
  const countMax = points.count + limits.pointsPerMessageMax;
  let at = afterSpace(arena, from + 1);
  if (arena[at] === closeBracket) return at + 1;
  for (;;) {
    const element = afterSpace(arena, at);
    if (arena[element] !== openBrace) return failShape(scan, element);
    at = scanElement(scan, element, 2);
    if (at < 0) return -1;
    if (points.count > countMax) return fail(scan, Outcome.pointsTooMany, element);
    at = afterSpace(arena, at);
    if (arena[at] !== comma) break;
    at += 1;
  }
  return arena[at] === closeBracket ? at + 1 : fail(scan, Outcome.jsonSyntax, at);
}

/**
 * Adds the points of one object. The two forms that nearly all messages have are tried first; what
 * they cannot decide goes to `scanAnyObject`, which follows the definition step by step. So an
 * early try costs time at most, and no answer depends on it.
 */
function scanElement(scan: Scan, from: number, depth: number): number {
  const { points, keys } = scan;
  const { count, textEnd, duplicates } = points;
  const widened = scan.widened;
  const entries = keys.used.length;
  let end: number;
  if (scan.view.getInt32(from + 1, true) === tsWord) end = scanPlainEnvelope(scan, from, depth);
  else {
    end = scanMembers(scan, from, depth, ObjectContext.message, true);
    if (end >= 0) points.closeRun(scan.row, arrivalTime);
  }
  if (end >= 0 || isFinal(scan.outcome)) return end;
  points.rollBack(count, textEnd, points.runs, duplicates);
  keys.releaseEntries(entries);
  scan.widened = widened;
  return scanAnyObject(scan, from, depth);
}

/** What is wrong with a document whatever its members mean. */
function isFinal(outcome: number): boolean {
  return (
    outcome === Outcome.jsonSyntax ||
    outcome === Outcome.jsonDepth ||
    outcome === Outcome.utf8Invalid
  );
}

/** `{"ts":<integer>,"values":{…}}` and nothing else; anything else is left to `scanAnyObject`. */
function scanPlainEnvelope(scan: Scan, from: number, depth: number): number {
  const arena = scan.arena;
  const keyAt = afterSpace(arena, from + 5);
  if (arena[keyAt] !== colon) return fail(scan, envelopeKeySeen, from);
  const tsAt = afterSpace(arena, keyAt + 1);
  const tsEnd = scanTimestamp(scan, tsAt);
  if (tsEnd < 0) return fail(scan, envelopeKeySeen, from);
  let at = tsEnd;
  if (arena[at] !== comma) at = afterSpace(arena, at);
  if (arena[at] !== comma) return fail(scan, envelopeKeySeen, from);
  at = afterSpace(arena, at + 1);
  for (let index = 0; index < valuesName.length; index += 1) {
    if (arena[at + index] !== valuesName[index]) return fail(scan, envelopeKeySeen, from);
  }
  at = afterSpace(arena, at + valuesName.length);
  if (arena[at] !== colon) return fail(scan, envelopeKeySeen, from);
  at = afterSpace(arena, at + 1);
  if (arena[at] !== openBrace) return fail(scan, envelopeKeySeen, from);
  const timestamp = scan.timestamp;
  at = scanMembers(scan, at, depth + 1, ObjectContext.values, false);
  if (at < 0) return -1;
  at = afterSpace(arena, at);
  if (arena[at] !== closeBrace) return fail(scan, envelopeKeySeen, from);
  scan.points.closeRun(scan.row, timestamp);
  return at + 1;
}

/** Any object: looks at all of it first, then at what its members mean. */
function scanAnyObject(scan: Scan, from: number, depth: number): number {
  const end = surveyObject(scan, from, depth);
  if (end < 0) return -1;
  const { tsAt, valuesAt, points } = scan;
  if (tsAt < 0 || valuesAt < 0) {
    const membersEnd = scanMembers(scan, from, depth, ObjectContext.message, false);
    if (membersEnd >= 0) points.closeRun(scan.row, arrivalTime);
    return membersEnd;
  }
  if (scan.arena[valuesAt] !== openBrace) return fail(scan, Outcome.shapeInvalid, valuesAt);
  if (scanTimestamp(scan, tsAt) < 0) return -1;
  const timestamp = scan.timestamp;
  if (scanMembers(scan, valuesAt, depth + 1, ObjectContext.values, false) < 0) return -1;
  points.closeRun(scan.row, timestamp);
  return end;
}

/**
 * Checks the whole object that opens at `from` and notes where the values of its last `ts` and its
 * last `values` begin (`scan.tsAt`, `scan.valuesAt`, -1 without one). Nothing is kept.
 */
function surveyObject(scan: Scan, from: number, depth: number): number {
  const arena = scan.arena;
  let tsAt = -1;
  let valuesAt = -1;
  let members = 0;
  let at = afterSpace(arena, from + 1);
  if (arena[at] !== closeBrace) {
    for (;;) {
      at = afterSpace(arena, at);
      if (arena[at] !== quote) return fail(scan, Outcome.jsonSyntax, at);
      members += 1;
      if (members > limits.keysPerObjectMax) return fail(scan, Outcome.keysTooMany, at);
      const nameEnd = surveyName(scan, at);
      if (nameEnd < 0) return -1;
      const name = scan.key;
      at = afterSpace(arena, nameEnd);
      if (arena[at] !== colon) return fail(scan, Outcome.jsonSyntax, at);
      at = afterSpace(arena, at + 1);
      if (name === ObjectName.ts) tsAt = at;
      else if (name === ObjectName.values) valuesAt = at;
      at = skipValue(scan, at, depth);
      if (at < 0) return -1;
      at = afterSpace(arena, at);
      if (arena[at] !== comma) break;
      at += 1;
    }
  }
  if (arena[at] !== closeBrace) return fail(scan, Outcome.jsonSyntax, at);
  scan.tsAt = tsAt;
  scan.valuesAt = valuesAt;
  return at + 1;
}

/** Leaves in `scan.key` which name stands at `from`, escapes resolved; any name is allowed. */
function surveyName(scan: Scan, from: number): number {
  const points = scan.points;
  const end = copyString(scan, from + 1, points.text, points.textEnd);
  if (end < 0) return -1;
  scan.key = ObjectName.other;
  // A longer one cannot be either name, and need not be decoded.
  if (end - from > 2 + valuesLengthMax || scanKeyText(scan, from + 1) < 0) return end;
  if (isName(scan, tsName)) scan.key = ObjectName.ts;
  else if (isName(scan, valuesName)) scan.key = ObjectName.values;
  return end;
}

function isName(scan: Scan, name: Uint8Array): boolean {
  const length = name.length - 2;
  if (scan.low !== length) return false;
  for (let index = 0; index < length; index += 1) {
    if (scan.scratch[index] !== name[index + 1]) return false;
  }
  return true;
}

/** Reads the value of `ts` at `at`: an integer literal or a string of one. */
function scanTimestamp(scan: Scan, at: number): number {
  const plain = acceptPlainTimestamp(scan, at);
  if (plain > 0) return plain;
  const { arena, points } = scan;
  if (arena[at] === quote) {
    const textEnd = points.textEnd;
    const end = scanString(scan, at + 1);
    if (end < 0) return -1;
    const digitsEnd = points.textEnd;
    points.textEnd = textEnd;
    const digits = textStart(points.text, textEnd);
    return acceptTimestampText(scan, points.text, digits, digitsEnd, at) < 0 ? -1 : end;
  }
  const end = numberEnd(arena, at);
  if (end < 0) return fail(scan, Outcome.timestampInvalid, at);
  return acceptTimestampText(scan, arena, at, end, at) < 0 ? -1 : end;
}

/** `"ts"` as a little-endian word. */
const tsWord = 0x2273_7422;
const ObjectName = { other: 0, ts: 1, values: 2 } as const;
const tsName: Uint8Array = Uint8Array.from(Buffer.from('"ts"'));
const valuesName: Uint8Array = Uint8Array.from(Buffer.from('"values"'));
/** `values` with every letter written as an escape of six bytes. */
const valuesLengthMax = 36;
