import type { SqliteFile } from './sqlite.js';
import type { SqliteChanges } from './sqlite-changes.js';
import type { SqliteCredentials } from './sqlite-credentials.js';

const pollMs = 250;
const pollsPerPrune = 240;
const prunedPerMinute = 10_000;
const expiredPerPoll = 500;

/**
 * Tells those who watch a registry that it changed: at once when this process changed it, at the
 * next poll when another one did. A poll costs a few microseconds while nothing happens: SQLite
 * compares one number in shared memory.
 *
 * While somebody watches it also removes what is over: expired credentials at each poll, so that
 * their end is announced like any other change, and old rows of the feed once a minute.
 */
export class SqliteWatch {
  readonly #file: SqliteFile;
  readonly #changes: SqliteChanges;
  readonly #credentials: SqliteCredentials;
  readonly #failed: (error: unknown) => void;
  readonly #listeners: Set<() => void>;
  #timer: NodeJS.Timeout | undefined;
  #dataVersion: number;
  #polls: number;
  #cleaning: boolean;

  constructor(
    file: SqliteFile,
    changes: SqliteChanges,
    credentials: SqliteCredentials,
    failed: (error: unknown) => void,
  ) {
    this.#file = file;
    this.#changes = changes;
    this.#credentials = credentials;
    this.#failed = failed;
    this.#listeners = new Set();
    this.#timer = undefined;
    this.#dataVersion = 0;
    this.#polls = 0;
    this.#cleaning = false;
  }

  add(listener: () => void): () => void {
    // A function of our own, so that one listener may be added twice and removed once.
    const call = (): void => listener();
    this.#listeners.add(call);
    this.#timer ??= setInterval(() => this.#poll(), pollMs).unref();
    return () => {
      this.#listeners.delete(call);
      if (this.#listeners.size === 0) this.close();
    };
  }

  changedHere(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
  }

  #poll(): void {
    try {
      const version = this.#file.dataVersion();
      const changed = version !== this.#dataVersion;
      this.#dataVersion = version;
      this.#polls += 1;
      const prune = this.#polls % pollsPerPrune === 0;
      const expired = this.#credentials.anyExpired();
      // Errors of the clean-up are told by itself; nothing waits for it.
      if ((prune || expired) && !this.#cleaning) void this.#clean(prune);
      if (changed) this.changedHere();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #clean(prune: boolean): Promise<void> {
    this.#cleaning = true;
    try {
      await this.#file.write('remove what is over', () => {
        if (prune) this.#changes.prune(prunedPerMinute);
        this.#credentials.removeExpired(expiredPerPoll);
      });
      this.changedHere();
    } catch (error) {
      // Closed in the meantime: what is over stays until the next time.
      if (this.#timer !== undefined) this.#failed(error);
    } finally {
      this.#cleaning = false;
    }
  }
}
