/** Powers of ten that a float64 holds exactly: 1e0 … 1e22. */
export const decimalPowers: Float64Array = Float64Array.from({ length: 23 }, (_, exponent) =>
  Number(`1e${exponent}`),
);

/** So many digits a float64 holds, whatever they are. */
export const plainDigitsMax = 15;

/**
 * @hot Reads the at most fifteen digits `bytes[from, end)` into `out.float`. Not as the result,
 * because a float that leaves a function is an allocation where V8 does not inline it.
 */
export function readPlainInteger(
  out: { float: number },
  bytes: Uint8Array,
  from: number,
  end: number,
): void {
  const middle = end - from > 9 ? from + 9 : end;
  let high = 0;
  let low = 0;
  let at = from;
  for (; at < middle; at += 1) high = (Math.imul(high, 10) + bytes[at]! - 0x30) | 0;
  for (; at < end; at += 1) low = (Math.imul(low, 10) + bytes[at]! - 0x30) | 0;
  out.float = high * decimalPowers[end - middle]! + low;
}

/** Where the two words of an integer go. */
interface Words {
  low: number;
  high: number;
}

/**
 * @hot Reads the digits `bytes[from, end)` as an int64 into `out` (two's complement, unsigned
 * words) and returns true, or returns false when they do not fit. Leading zeros are allowed.
 */
export function readInt64(
  out: Words,
  bytes: Uint8Array,
  from: number,
  end: number,
  negative: boolean,
): boolean {
  let at = from;
  while (at < end && bytes[at] === 0x30) at += 1;
  if (end - at > 19) return false;
  let low = 0;
  let high = 0;
  for (; at < end; at += 1) {
    // Below 2^36 and below 2^37: both exact.
    const next = low * 10 + bytes[at]! - 0x30;
    const carry = Math.floor(next / 2 ** 32);
    low = next - carry * 2 ** 32;
    high = high * 10 + carry;
  }
  if (high >= 2 ** 31 && !(negative && high === 2 ** 31 && low === 0)) return false;
  if (negative) {
    high = (low === 0 ? -high : ~high) >>> 0;
    low = -low >>> 0;
  }
  out.low = low;
  out.high = high;
  return true;
}

/** The float64 nearest to the int64: the product is exact, so the sum rounds once. */
export function exactInt64(low: number, high: number): number {
  return (high | 0) * 2 ** 32 + low;
}

/** True when the int64 lies beyond ±2^53, where a float64 loses digits. */
export function exceedsFloat64Integers(low: number, high: number): boolean {
  const top = high | 0;
  if (top >= 0) return top > 0x20_0000 || (top === 0x20_0000 && low > 0);
  return top < -0x20_0000;
}
