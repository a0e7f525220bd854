import { Character } from './characters.js';
import { decimalPowers } from './decimal.js';
import type { Scan } from './scan.js';

const { zero, dot, minus, plus } = Character;
const { imul } = Math;

/** Powers of ten up to this one are exact as float64. */
const exactPowerMax = 22;
/** More than any exponent can be brought back from by the digits of a payload. */
const hugeExponent = 2 ** 40;

/**
 * @hot The float64 nearest to the unsigned literal at `first`, which has a point or an exponent.
 *
 * Up to sixteen significant digits below 2^53 and a power of ten up to 22 are both exact, so one
 * multiplication or division rounds once, correctly (Clinger's fast path). Up to eighteen digits
 * with a negative exponent, such as many programs print, go through `nearestQuotient`. The rest is
 * left to the engine's own conversion, which is the one `JSON.parse` uses.
 */
export function doubleOf(scan: Scan, first: number, end: number): number {
  const arena = scan.arena;
  let high = 0;
  let low = 0;
  let digits = 0;
  let scale = 0;
  let counting = 0;
  let at = first;
  for (; at < end; at += 1) {
    const digit = arena[at]! - zero;
    if (digit === dot - zero) {
      counting = 1;
      continue;
    }
    if (digit > 9) break;
    scale += counting;
    if (digits === 0 && digit === 0) continue;
    digits += 1;
    if (digits <= 9) high = (imul(high, 10) + digit) | 0;
    else if (digits <= 18) low = (imul(low, 10) + digit) | 0;
  }
  const exponent = (at < end ? exponentAt(arena, at + 1, end) : 0) - scale;
  if (digits <= 18 && exponent >= -exactPowerMax && exponent <= exactPowerMax) {
    const large = digits <= 9 ? high : high * decimalPowers[digits - 9]!;
    const mantissa = large + low;
    if (mantissa < 2 ** 53) {
      return exponent < 0
        ? mantissa / decimalPowers[-exponent]!
        : mantissa * decimalPowers[exponent]!;
    }
    if (exponent < 0) {
      const nearest = nearestQuotient(large, low, decimalPowers[-exponent]!);
      if (nearest >= 0) return nearest;
    }
  }
  return Number(scan.buffer.toString('latin1', first, end));
}

/**
 * `(large + low) / power` rounded once, or -1 when that cannot be told. All three are exact
 * integers, `large` not the smaller one.
 *
 * The quotient is computed in two parts, which is good to some 105 bits: Dekker's product gives the
 * remainder exactly. If the result stays the same with the second part a little larger and a little
 * smaller, by far more than the error, it is the nearest one (Ziv's test).
 */
function nearestQuotient(large: number, low: number, power: number): number {
  const sum = large + low;
  const sumRest = low - (sum - large);
  const quotient = sum / power;
  const quotientHigh = upperHalf(quotient);
  const quotientLow = quotient - quotientHigh;
  const powerHigh = upperHalf(power);
  const powerLow = power - powerHigh;
  const product = quotient * power;
  const productRest =
    quotientHigh * powerHigh -
    product +
    quotientHigh * powerLow +
    quotientLow * powerHigh +
    quotientLow * powerLow;
  const correction = (sum - product - productRest + sumRest) / power;
  const margin = quotient * 2 ** -95;
  const result = quotient + (correction + margin);
  return result === quotient + (correction - margin) ? result : -1;
}

/** The upper 26 bits of a number (Veltkamp), so that products of halves are exact. */
function upperHalf(value: number): number {
  const scaled = value * (2 ** 27 + 1);
  return scaled - (scaled - value);
}

/** The exponent whose sign or first digit is at `from`. */
function exponentAt(arena: Uint8Array, from: number, end: number): number {
  const negative = arena[from] === minus;
  let at = negative || arena[from] === plus ? from + 1 : from;
  let exponent = 0;
  for (; at < end && exponent < hugeExponent; at += 1) {
    exponent = exponent * 10 + arena[at]! - zero;
  }
  return negative ? -exponent : exponent;
}
