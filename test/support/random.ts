/**
 * A seeded generator (mulberry32), so that a failing run can be repeated: the seed is printed and
 * `SLUICE_TEST_SEED` sets it.
 */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed?: number) {
    const given = process.env['SLUICE_TEST_SEED'];
    this.seed = seed ?? (given === undefined ? Date.now() % 2 ** 31 : Number(given));
    this.#state = this.seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }
}
