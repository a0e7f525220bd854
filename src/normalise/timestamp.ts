import { limits } from '../core/limits.js';
import { Outcome } from '../core/outcome.js';
import { NormaliseFlag } from './batch-layout.js';
import { Character } from './characters.js';
import { decimalPowers, exactInt64, readInt64 } from './decimal.js';
import { fail, type Scan } from './scan.js';

/**
 * The last millisecond of the range that the node stores: 2262-04-11T23:47:16.854Z, where a
 * DateTime64 of nanoseconds ends in ClickHouse. One of milliseconds goes on to 2299, but what a
 * query may convert it to does not.
 */
const timestampMax = 9_223_372_036_854;

/**
 * Applies range and policy to a device's time (an integer, milliseconds since 1970; beyond 2^53 as
 * the nearest float64), whose value stands at `at`. Leaves the time to store in `scan.timestamp`
 * and returns 0, or refuses the message.
 *
 * A time counts as future when it is more than `limits.timestampToleranceMs` ahead of the node's
 * clock. `rejectFuture` refuses it; `clamp` replaces it by the message's arrival.
 */
export function acceptTimestamp(scan: Scan, value: number, at: number): number {
  if (value < 0 || value > timestampMax) return fail(scan, Outcome.timestampOutOfRange, at);
  scan.timestamp = value;
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
  let high = 0;
  let low = 0;
  let end = at;
  let digit = arena[end]! - Character.zero;
  if (digit <= 0) return 0;
  while (digit >= 0 && digit <= 9) {
    if (end - at < 9) high = (Math.imul(high, 10) + digit) | 0;
    else low = (Math.imul(low, 10) + digit) | 0;
    end += 1;
    digit = arena[end]! - Character.zero;
  }
  const digits = end - at;
  // Only these two bytes make sure that the number is at its end.
  const follows = digit + Character.zero;
  if (digits > 15 || (follows !== Character.comma && follows !== Character.closeBrace)) return 0;
  const value = digits <= 9 ? high : high * decimalPowers[digits - 9]! + low;
  return acceptTimestamp(scan, value, at) < 0 ? 0 : end;
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
  return acceptTimestamp(scan, exactInt64(scan.low, scan.high), at);
}
