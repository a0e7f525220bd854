import type { JournalFs } from './journal-fs.js';

/**
 * Makes renames and removals durable, one sync at a time. Whoever asks while one is under way
 * shares the next, as that one may have begun before the caller's change.
 */
export class DirectorySync {
  readonly #fs: JournalFs;
  readonly #path: string;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(fs: JournalFs, path: string) {
    this.#fs = fs;
    this.#path = path;
    this.#running = undefined;
    this.#next = undefined;
  }

  sync(): Promise<void> {
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#afterRunning(this.#running);
    return this.#next;
  }

  async #afterRunning(running: Promise<void>): Promise<void> {
    await running.catch(() => {}); // its failure is told to those who asked for it
    this.#next = undefined;
    await this.#run();
  }

  #run(): Promise<void> {
    const running = this.#fs.syncDirectory(this.#path).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
