import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';

interface Chore {
  readonly verb: string;
  readonly action: () => Promise<void>;
  readonly done: () => void;
}

/**
 * Work on files that must happen but that nobody waits for: seals, releases, removals. What fails
 * is kept and tried again, so an action must be repeatable.
 *
 * Bounded: a file has a few chores in its life, and with `journalChoresMax` of them failed nobody
 * makes another file, see segment-store.ts.
 */
export class Chores {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #running: Set<Promise<void>>;
  #failed: Chore[];

  constructor(logger: Logger, metrics: Metrics) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#running = new Set();
    this.#failed = [];
  }

  get failed(): number {
    return this.#failed.length;
  }

  /** Resolves, and never rejects, when `action` was tried once; `done` follows its success. */
  run(verb: string, action: () => Promise<void>, done: () => void): Promise<void> {
    const running = this.#try({ verb, action, done }).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Tries what failed once more. */
  async retry(): Promise<void> {
    const failed = this.#failed;
    this.#failed = [];
    for (const chore of failed) await this.run(chore.verb, chore.action, chore.done);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #try(chore: Chore): Promise<void> {
    try {
      await chore.action();
    } catch (thrown) {
      this.#metrics.journalFailures.inc();
      this.#logger.limited('journal_chore_failed', { verb: chore.verb, error: String(thrown) });
      this.#failed.push(chore);
      return;
    }
    chore.done();
  }
}
