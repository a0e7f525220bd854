/**
 * The one place that reads a clock. Tests pass a `Clock` of their own.
 */
export interface Clock {
  /** Wall time in whole milliseconds since 1970, never going backwards while the node runs. */
  now(): number;
  /** Monotonic milliseconds with a fraction, for durations and deadlines. */
  monotonic(): number;
}

/**
 * The system's clocks. `now` holds still while the wall clock is behind what it already told, so a
 * later message never gets an earlier arrival time.
 */
export function systemClock(): Clock {
  let last = 0;
  return {
    now(): number {
      const wall = Date.now();
      if (wall > last) last = wall;
      return last;
    },
    monotonic(): number {
      return performance.now();
    },
  };
}
