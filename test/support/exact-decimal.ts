/**
 * True when `double` is the float64 nearest to the decimal literal (ties to even), by exact integer
 * arithmetic. Neither `Number` nor `JSON.parse` takes part in the decision.
 */
export function isNearest(literal: string, double: number): boolean {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal);
  if (match === null) return false;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if ((sign === '-') !== (double < 0 || Object.is(double, -0))) return false;
  const digits = BigInt(whole + fraction);
  const scale = Number(exponent) - fraction.length;
  if (digits === 0n) return double === 0;
  // Below a third of the smallest denormal, and no power of ten worth computing.
  if (scale < -400 && String(digits).length + scale < -330) return double === 0;
  const magnitude = Math.abs(double);
  const numerator = scale > 0 ? digits * 10n ** BigInt(scale) : digits;
  const denominator = scale < 0 ? 10n ** BigInt(-scale) : 1n;
  const { mantissa, power } = parts(magnitude);
  // Neighbours' midpoints, in units of 2^(power - 2): the one below is nearer at a power of two.
  const four = mantissa * 4n;
  const below = mantissa === 2n ** 52n && power > -1074 ? four - 1n : four - 2n;
  const above = four + 2n;
  const even = mantissa % 2n === 0n;
  const fromBelow = compare(numerator, denominator, below, power - 2);
  const fromAbove = compare(numerator, denominator, above, power - 2);
  return (
    (fromBelow > 0 || (fromBelow === 0 && even)) && (fromAbove < 0 || (fromAbove === 0 && even))
  );
}

/** `magnitude = mantissa × 2^power` exactly. */
function parts(magnitude: number): { mantissa: bigint; power: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, magnitude);
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & (2n ** 52n - 1n);
  if (biased === 0) return { mantissa: fraction, power: -1074 };
  return { mantissa: fraction | (2n ** 52n), power: biased - 1075 };
}

/** Sign of `numerator / denominator − units × 2^power`. */
function compare(numerator: bigint, denominator: bigint, units: bigint, power: number): number {
  const left = power < 0 ? numerator << BigInt(-power) : numerator;
  const right = power > 0 ? (units * denominator) << BigInt(power) : units * denominator;
  return left < right ? -1 : left > right ? 1 : 0;
}
