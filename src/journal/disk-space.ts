import type { NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { fullError } from './availability.js';
import type { JournalOptions } from './options.js';

/**
 * How much room there is, and how much of it is ours.
 *
 *   │◄──────────────── file system ────────────────►│
 *   │ others │ our files ≤ bytesMax │ free │ reserve │
 *
 * Invariant: no segment file is made that would leave less than the reserve or take us above
 * `bytesMax`; while others have eaten into the reserve, nothing is accepted.
 */
export class DiskSpace {
  readonly #logger: Logger;
  readonly #options: JournalOptions;
  #totalBytes: number;
  #availableBytes: number;
  /** Size of all segment files, free ones included. */
  usedBytes: number;

  constructor(logger: Logger, options: JournalOptions, usedBytes: number) {
    this.#logger = logger;
    this.#options = options;
    this.#totalBytes = 0;
    this.#availableBytes = Number.POSITIVE_INFINITY;
    this.usedBytes = usedBytes;
  }

  /** Asks the file system; keeps the last answer when it gives none. */
  async sample(): Promise<void> {
    try {
      const space = await this.#options.fs.space(this.#options.directory);
      this.#totalBytes = space.totalBytes;
      this.#availableBytes = space.availableBytes;
    } catch (thrown) {
      this.#logger.limited('journal_space_unknown', { error: String(thrown) });
    }
  }

  /** Why nothing may be accepted at present; undefined when it may. */
  belowReserve(): NodeError | undefined {
    if (this.#availableBytes >= this.#reserveBytes()) return undefined;
    return fullError(
      `the disk is full: ${this.#availableBytes} bytes are available in ` +
        `${this.#options.directory}, the reserve is ${this.#reserveBytes()}`,
    );
  }

  /** Why a new file of `bytes` may not be made; undefined when it may. */
  refusal(bytes: number): NodeError | undefined {
    if (this.usedBytes + bytes > this.#options.bytesMax) {
      return fullError(
        `the journal is full: it has ${this.usedBytes} bytes and may have ` +
          `${this.#options.bytesMax} (journal.bytesMax)`,
      );
    }
    if (this.#availableBytes - bytes >= this.#reserveBytes()) return undefined;
    return fullError(
      `the disk is full: a segment of ${bytes} bytes does not fit into the ` +
        `${this.#availableBytes} available less the reserve of ${this.#reserveBytes()}`,
    );
  }

  #reserveBytes(): number {
    return Math.floor(this.#totalBytes * this.#options.reserveFraction);
  }
}
