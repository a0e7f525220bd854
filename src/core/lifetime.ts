import { messageOf } from './errors.js';
import type { Logger } from './logger.js';

/**
 * What was opened, in order, so that it can be closed in the opposite order: at the end, or when a
 * later part could not be opened. Closing goes on when one part fails to close.
 */
export class Lifetime {
  readonly #logger: Logger;
  readonly #parts: { readonly name: string; readonly close: () => Promise<void> | void }[];

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#parts = [];
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#parts.push({ name, close });
  }

  /** Resolves with false when a part failed to close. */
  async close(): Promise<boolean> {
    let clean = true;
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      try {
        await part.close();
      } catch (thrown) {
        clean = false;
        this.#logger.error('close_failed', { part: part.name, error: messageOf(thrown) });
      }
    }
    return clean;
  }
}
