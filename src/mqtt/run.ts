import { limits } from '../core/limits.js';
import type { Batch } from '../ingest/batch.js';
import type { Batcher } from '../ingest/batcher.js';

/**
 * @hot A run of packets that lie behind one another in a chunk and go into one batch with one copy.
 *
 *     chunk   … │ packet │ packet │ packet │ …
 *               from                       end of the run
 *     arena   … │ packet │ packet │ packet │          offset in arena = offset in chunk + base
 *
 * Rows are added while the run grows, the bytes are copied when it ends. Between `begin` and
 * `finish` nobody else may touch the batch; both happen within one event.
 */
export class Run {
  batch: Batch | undefined;
  base: number;
  rowsLeft: number;
  #from: number;
  /** Offset in the chunk up to which the arena has room. */
  #roomTo: number;

  constructor() {
    this.batch = undefined;
    this.base = 0;
    this.rowsLeft = 0;
    this.#from = 0;
    this.#roomTo = 0;
  }

  /** True when a packet that ends at `end` belongs to the run: room for its bytes and a row. */
  fits(end: number): boolean {
    return this.rowsLeft > 0 && end <= this.#roomTo;
  }

  /** Ends the run before `at` and begins another there; false when no batch has room. */
  begin(batcher: Pick<Batcher, 'open'>, bytes: Uint8Array, at: number, end: number): boolean {
    this.finish(bytes, at);
    const batch = batcher.open(end - at);
    if (batch === undefined) return false;
    this.batch = batch;
    this.base = batch.arenaUsed - at;
    this.rowsLeft = limits.batchMessagesMax - batch.rows;
    this.#from = at;
    this.#roomTo = at + batch.arenaBytes - batch.arenaUsed;
    return true;
  }

  /** Copies the bytes of the run, which ends before `at`. Does nothing when there is none. */
  finish(bytes: Uint8Array, at: number): void {
    const batch = this.batch;
    if (batch === undefined) return;
    batch.copyIn(bytes, this.#from, at);
    this.batch = undefined;
    this.rowsLeft = 0;
    this.#roomTo = 0;
  }
}
