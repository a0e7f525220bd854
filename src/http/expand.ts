import { gunzip } from 'node:zlib';
import { limits } from '../core/limits.js';
import { Fifo } from './fifo.js';

/** Why a gzip body could not be expanded. */
export type ExpandFailure = 'tooLarge' | 'malformed';

/** Called once, from the main thread, with either the bytes (the callee's) or a failure. */
export type Expanded = (bytes: Uint8Array | undefined, failure: ExpandFailure | undefined) => void;

interface Task {
  readonly bytes: Uint8Array;
  readonly done: Expanded;
}

/**
 * Expands gzip bodies on libuv's threads, a few at a time, first come first served.
 *
 * An expansion stops as soon as it yields more than `bytesMax` or `ratioMax` times what it was
 * given, whichever is less, so a bomb costs no more than an honest body. Waiting bodies are bounded
 * by the budget their memory is charged to.
 */
export class Expander {
  readonly #bytesMax: number;
  readonly #ratioMax: number;
  readonly #waiting: Fifo<Task>;
  #running: number;

  constructor(bytesMax: number, ratioMax: number) {
    this.#bytesMax = bytesMax;
    this.#ratioMax = ratioMax;
    this.#waiting = new Fifo();
    this.#running = 0;
  }

  /** `bytes` must not change until `done` was called. */
  expand(bytes: Uint8Array, done: Expanded): void {
    if (this.#running < limits.httpExpansionsMax) this.#start({ bytes, done });
    else this.#waiting.push({ bytes, done });
  }

  #start(task: Task): void {
    this.#running += 1;
    const most = Math.min(this.#bytesMax, task.bytes.length * this.#ratioMax);
    gunzip(task.bytes, { maxOutputLength: Math.max(1, most) }, (error, result) => {
      this.#running -= 1;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#start(next);
      if (error === null) task.done(result, undefined);
      else task.done(undefined, isTooLarge(error) ? 'tooLarge' : 'malformed');
    });
  }
}

function isTooLarge(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
