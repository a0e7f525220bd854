import type { Clock } from '../core/clock.js';
import type { Connection } from './connection.js';
import { PauseReason } from './connection-state.js';

/** Short against any message rate a device may have, long against the cost of a look. */
const lookEveryMs = 10;

/** Connections that are not read because their device is over its message rate. */
export class RateWaiters {
  readonly #clock: Clock;
  #waiting: Connection[];
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#waiting = [];
    this.#timer = undefined;
  }

  add(connection: Connection): void {
    this.#waiting.push(connection);
    this.#timer ??= setTimeout(this.#look, lookEveryMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const connection of waiting) {
      // A connection that ended is not paused any more and needs no waking.
      if ((connection.pauses & PauseReason.rate) === 0) continue;
      if ((connection.rate?.available(now) ?? 1) > 0) connection.unpause(PauseReason.rate);
      else this.#waiting.push(connection);
    }
    if (this.#waiting.length > 0) this.#timer ??= setTimeout(this.#look, lookEveryMs);
  };
}
