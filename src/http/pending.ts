import { assert } from '../core/assert.js';
import { limits } from '../core/limits.js';
import type { Origin } from '../core/origin.js';
import { Outcome } from '../core/outcome.js';
import type { AnswerWriter } from './answer-writer.js';
import type { Exchange } from './exchange.js';
import { answerOf, answers } from './status.js';

/** Rows that all batches together hold: no more messages can wait for their outcome. */
const slotsMax = limits.batchesMax * limits.batchMessagesMax;

/**
 * @hot The messages that are in a batch and wait for their outcome: the origin of every HTTP row,
 * `ref` is a slot.
 *
 *     slots: taken + free = slotsMax        settled[0, count): answered by the next `flush`
 *
 * A slot belongs to a row from `add` to `settle`, also when its peer has gone meanwhile.
 */
export class Pending implements Origin {
  readonly #writer: AnswerWriter;
  readonly #exchanges: (Exchange | undefined)[];
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #settled: (Exchange | undefined)[];
  #settledCount: number;
  /** Called when the last slot became free. */
  #onIdle: (() => void) | undefined;

  constructor(writer: AnswerWriter) {
    this.#writer = writer;
    this.#exchanges = new Array<Exchange | undefined>(slotsMax).fill(undefined);
    this.#free = new Int32Array(slotsMax);
    for (let index = 0; index < slotsMax; index++) this.#free[index] = slotsMax - 1 - index;
    this.#freeCount = slotsMax;
    this.#settled = new Array<Exchange | undefined>(slotsMax).fill(undefined);
    this.#settledCount = 0;
    this.#onIdle = undefined;
  }

  get count(): number {
    return slotsMax - this.#freeCount;
  }

  /** Returns the slot to be given to `Batch.addRow` as `ref`. */
  add(exchange: Exchange): number {
    assert(this.#freeCount > 0, 'the batches hold no more rows than there are slots');
    this.#freeCount -= 1;
    const slot = this.#free[this.#freeCount] ?? 0;
    this.#exchanges[slot] = exchange;
    return slot;
  }

  settle(slot: number, outcome: number, offset: number): void {
    const exchange = this.#exchanges[slot];
    if (exchange === undefined) return;
    this.#exchanges[slot] = undefined;
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
    exchange.outcome = outcome;
    exchange.offset = offset;
    this.#settled[this.#settledCount] = exchange;
    this.#settledCount += 1;
  }

  /** Answers everything settled since the last call: one write per connection. */
  flush(): void {
    const count = this.#settledCount;
    const settled = this.#settled;
    this.#settledCount = 0;
    for (let index = 0; index < count; index++) {
      const exchange = settled[index];
      settled[index] = undefined;
      if (exchange === undefined || exchange.response === undefined) continue;
      const answer =
        exchange.outcome === Outcome.accepted
          ? answers.ok
          : answerOf(exchange.outcome, exchange.offset);
      this.#writer.write(exchange, answer);
    }
    if (this.#onIdle !== undefined && this.count === 0) {
      this.#onIdle();
      this.#onIdle = undefined;
    }
  }

  /** Resolves when no message waits any more. */
  async idle(): Promise<void> {
    if (this.count === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
