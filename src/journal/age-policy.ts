import type { Clock } from '../core/clock.js';
import type { OpenSegment } from './open-segment.js';
import type { JournalOptions } from './options.js';

/**
 * Closes the current segment by age, but only while somebody waits for one: with ClickHouse away
 * segments close when they are full, and an hour of little traffic is one file and not thousands.
 *
 *   first durable append ───────────── busyMs ─────────────► close
 *                   last durable append ── quietMs ──► close
 */
export class AgePolicy {
  readonly #clock: Clock;
  readonly #options: JournalOptions;
  readonly #current: () => OpenSegment | undefined;
  readonly #wanted: () => boolean;
  readonly #cut: () => void;
  #cancel: (() => void) | undefined;

  constructor(
    clock: Clock,
    options: JournalOptions,
    current: () => OpenSegment | undefined,
    wanted: () => boolean,
    cut: () => void,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#current = current;
    this.#wanted = wanted;
    this.#cut = cut;
    this.#cancel = undefined;
  }

  /** Call when somebody begins to wait and after each commit: cheap, one timer at a time. */
  consider(): void {
    if (this.#cancel !== undefined || !this.#wanted()) return;
    const segment = this.#current();
    if (segment === undefined || !segment.hasRecords) return;
    const { quietMs, busyMs, timers } = this.#options;
    const due = Math.min(segment.lastDurableAt + quietMs, segment.firstDurableAt + busyMs);
    const wait = due - this.#clock.monotonic();
    if (wait <= 0) {
      this.#cut();
      return;
    }
    this.#cancel = timers.after(wait, () => {
      this.#cancel = undefined;
      this.consider();
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
