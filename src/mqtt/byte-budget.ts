/** Bytes held for all connections together; `used ≥ 0`, and above `max` callers stop reading. */
export class ByteBudget {
  readonly max: number;
  used: number;

  constructor(max: number) {
    this.max = max;
    this.used = 0;
  }

  /** Takes `bytes` only when they fit. */
  tryTake(bytes: number): boolean {
    if (this.used + bytes > this.max) return false;
    this.used += bytes;
    return true;
  }

  /** Takes `bytes` that are in memory already; the caller looks at `exceeded` afterwards. */
  take(bytes: number): void {
    this.used += bytes;
  }

  release(bytes: number): void {
    this.used -= bytes;
  }

  get exceeded(): boolean {
    return this.used > this.max;
  }

  /** True when half is free again: the point at which reading goes on, well below the maximum. */
  get relaxed(): boolean {
    return this.used <= this.max / 2;
  }
}
