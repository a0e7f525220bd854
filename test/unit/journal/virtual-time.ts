import type { Clock } from '../../../src/core/clock.js';
import type { JournalTimers } from '../../../src/journal/timers.js';

/** A clock and timers that stand still until a test moves them. */
export class VirtualTime implements Clock, JournalTimers {
  #elapsed: number;
  readonly #due: Map<number, { at: number; callback: () => void }>;
  #nextId: number;

  constructor() {
    this.#elapsed = 0;
    this.#due = new Map();
    this.#nextId = 0;
  }

  now(): number {
    return 1_700_000_000_000 + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#due.set(id, { at: this.#elapsed + ms, callback });
    return () => this.#due.delete(id);
  }

  /** Calls everything that becomes due, in order, and lets its consequences happen in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      let first: number | undefined;
      for (const [id, { at }] of this.#due) {
        if (at > end) continue;
        if (first === undefined || at < (this.#due.get(first)?.at ?? 0)) first = id;
      }
      const entry = first === undefined ? undefined : this.#due.get(first);
      if (first === undefined || entry === undefined) break;
      this.#due.delete(first);
      this.#elapsed = Math.max(this.#elapsed, entry.at);
      entry.callback();
      await settled();
    }
    this.#elapsed = end;
    await settled();
  }
}

/** Resolves when nothing is left to do that does not wait for a timer or for the system. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
