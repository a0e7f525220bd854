import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { NormaliseFlag } from './batch-layout.js';
import { Character } from './characters.js';
import { exactInt64, plainDigitsMax, readInt64, readPlainInteger } from './decimal.js';
import { fail, type Scan } from './scan.js';

/**
 * The last millisecond of the range that the node stores: 2262-04-11T23:47:16.854Z, where a
 * DateTime64 of nanoseconds ends in ClickHouse. One of milliseconds goes on to 2299, but what a
 * query may convert it to does not.
 */
const timestampMax = 9_223_372_036_854;

/**
 * Applies range and policy to a device's time, which is in `scan.timestamp` (a whole number of
 * milliseconds since 1970; beyond 2^53 the nearest float64) and stands at `at` in the payload.
 * Leaves the time to store in its place and returns 0, or refuses the message.
 *
 * A time counts as future when it is more than `limits.timestampToleranceMs` ahead of the node's
 * clock. `rejectFuture` refuses it; `clamp` replaces it by the message's arrival.
 */
export function acceptTimestamp(scan: Scan, at: number): number {
  const value = scan.timestamp;
  if (value < 0 || value > timestampMax) return fail(scan, Outcome.timestampOutOfRange, at);
  const policy = NormaliseFlag.rejectFutureTimestamps | NormaliseFlag.clampTimestamps;
  const flags = scan.flags[scan.row]!;
  if ((flags & policy) === 0) return 0;
  if (value <= scan.nowMs + limits.timestampToleranceMs) return 0;
  if ((flags & NormaliseFlag.rejectFutureTimestamps) !== 0) {
    return fail(scan, Outcome.timestampInFuture, at);
  }
  scan.timestamp = scan.receivedAt[scan.row]!;
  return 0;
}

/**
 * The same for up to fifteen digits at `at`, which nearly all times are: returns the position
 * behind them, or 0 when something else stands there or the time is refused.
 */
export function acceptPlainTimestamp(scan: Scan, at: number): number {
  const arena = scan.arena;
  let end = at;
  if (arena[at] === Character.zero) return 0;
  while (arena[end]! >= Character.zero && arena[end]! <= Character.nine) end += 1;
  if (end === at || end - at > plainDigitsMax) return 0;
  // Only these two bytes make sure that the number is at its end.
  if (arena[end] !== Character.comma && arena[end] !== Character.closeBrace) return 0;
  readPlainInteger(scan, arena, at, end);
  scan.timestamp = scan.float;
  return acceptTimestamp(scan, at) < 0 ? 0 : end;
}

/** The same for the text `bytes[from, end)`, which must be an integer that fits int64. */
export function acceptTimestampText(
  scan: Scan,
  bytes: Uint8Array,
  from: number,
  end: number,
  at: number,
): number {
  const negative = from < end && bytes[from] === Character.minus;
  const first = negative ? from + 1 : from;
  if (first === end) return fail(scan, Outcome.timestampInvalid, at);
  for (let index = first; index < end; index += 1) {
    const byte = bytes[index]!;
    if (byte < Character.zero || byte > Character.nine) {
      return fail(scan, Outcome.timestampInvalid, at);
    }
  }
  if (!readInt64(scan, bytes, first, end, negative)) {
    return fail(scan, Outcome.timestampInvalid, at);
  }
  scan.timestamp = exactInt64(scan.low, scan.high);
  return acceptTimestamp(scan, at);
}
