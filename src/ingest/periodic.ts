import { messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';

/**
 * Repeats a task, `intervalMs` after its last run ended, until stopped. A failure is logged and the
 * next run tries again; two runs never overlap.
 */
export class Periodic {
  readonly #logger: Logger;
  readonly #name: string;
  readonly #intervalMs: number;
  readonly #task: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void>;
  #stopped: boolean;

  constructor(logger: Logger, name: string, intervalMs: number, task: () => Promise<void>) {
    this.#logger = logger;
    this.#name = name;
    this.#intervalMs = intervalMs;
    this.#task = task;
    this.#timer = undefined;
    this.#running = Promise.resolve();
    this.#stopped = false;
    this.#arm(0);
  }

  /** Resolves when the run under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, delayMs);
  }

  async #run(): Promise<void> {
    try {
      await this.#task();
    } catch (thrown) {
      this.#logger.limited(`${this.#name}_failed`, { error: messageOf(thrown) });
    }
    this.#arm(this.#intervalMs);
  }
}
