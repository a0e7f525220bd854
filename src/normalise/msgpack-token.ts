import { Outcome } from '../core/outcome.js';
import { fail, type Scan } from './scan.js';

/** What a MessagePack token is, as far as the data model goes. */
export const TokenKind = {
  nil: 0,
  false: 1,
  true: 2,
  /** An int64 in `scan.low` and `scan.high`. */
  integer: 3,
  /** An uint64 beyond int64, likewise. */
  integerBeyond: 4,
  float: 5,
  string: 6,
  array: 7,
  map: 8,
} as const;

/**
 * @hot Reads the token at `at` into `scan.token…` and returns the position behind its head: for a
 * string its first byte (all of it lies within the message), for a container its first element.
 * Binary data, extensions and the unused byte 0xC1 are refused: the data model has no place for
 * them. Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function readToken(scan: Scan, at: number): number {
  if (at >= scan.end) return fail(scan, Outcome.msgpackInvalid, at);
  const head = scan.arena[at]!;
  if (head < 0x80) return integerToken(scan, head, at + 1);
  if (head < 0x90) return containerToken(scan, TokenKind.map, head & 15, at + 1);
  if (head < 0xa0) return containerToken(scan, TokenKind.array, head & 15, at + 1);
  if (head < 0xc0) return stringToken(scan, head & 31, at + 1, at);
  if (head >= 0xe0) return integerToken(scan, head - 0x100, at + 1);
  const next = at + 1 + operandBytes[head - 0xc0]!;
  if (next > scan.end || next === at) return fail(scan, Outcome.msgpackInvalid, at);
  const view = scan.view;
  switch (head) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      scan.tokenKind = head === 0xc0 ? TokenKind.nil : head - 0xc1;
      return next;
    case 0xca:
      return floatToken(scan, view.getFloat32(at + 1), next);
    case 0xcb:
      return floatToken(scan, view.getFloat64(at + 1), next);
    case 0xcc:
      return integerToken(scan, view.getUint8(at + 1), next);
    case 0xcd:
      return integerToken(scan, view.getUint16(at + 1), next);
    case 0xce:
      return integerToken(scan, view.getUint32(at + 1), next);
    case 0xcf:
      return wordsToken(scan, view.getUint32(at + 5), view.getUint32(at + 1), false, next);
    case 0xd0:
      return integerToken(scan, view.getInt8(at + 1), next);
    case 0xd1:
      return integerToken(scan, view.getInt16(at + 1), next);
    case 0xd2:
      return integerToken(scan, view.getInt32(at + 1), next);
    case 0xd3:
      return wordsToken(scan, view.getUint32(at + 5), view.getUint32(at + 1), true, next);
    case 0xd9:
      return stringToken(scan, view.getUint8(at + 1), next, at);
    case 0xda:
      return stringToken(scan, view.getUint16(at + 1), next, at);
    case 0xdb:
      return stringToken(scan, view.getUint32(at + 1), next, at);
    case 0xdc:
      return containerToken(scan, TokenKind.array, view.getUint16(at + 1), next);
    case 0xdd:
      return containerToken(scan, TokenKind.array, view.getUint32(at + 1), next);
    case 0xde:
      return containerToken(scan, TokenKind.map, view.getUint16(at + 1), next);
    default:
      return containerToken(scan, TokenKind.map, view.getUint32(at + 1), next);
  }
}

/** Bytes of value, length or count behind the heads 0xC0 … 0xDF; -1 for those that are refused. */
const operandBytes: Int8Array = Int8Array.of(
  ...[0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8],
  ...[1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4, 2, 4],
);

function integerToken(scan: Scan, value: number, next: number): number {
  scan.tokenKind = TokenKind.integer;
  scan.low = value >>> 0;
  scan.high = value < 0 ? 0xffff_ffff : 0;
  return next;
}

function wordsToken(scan: Scan, low: number, high: number, signed: boolean, next: number): number {
  scan.tokenKind = signed || high < 2 ** 31 ? TokenKind.integer : TokenKind.integerBeyond;
  scan.low = low;
  scan.high = high;
  return next;
}

function floatToken(scan: Scan, value: number, next: number): number {
  scan.tokenKind = TokenKind.float;
  scan.float = value;
  return next;
}

function containerToken(scan: Scan, kind: number, size: number, next: number): number {
  scan.tokenKind = kind;
  scan.tokenSize = size;
  return next;
}

function stringToken(scan: Scan, size: number, next: number, at: number): number {
  if (next + size > scan.end) return fail(scan, Outcome.msgpackInvalid, at);
  scan.tokenKind = TokenKind.string;
  scan.tokenSize = size;
  return next;
}
