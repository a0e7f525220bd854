import type { Clock } from '../core/clock.js';
import { limits } from '../core/limits.js';
import { Batch } from './batch.js';

/** What the batcher hands sealed batches to, and asks how busy it is. */
export interface BatchSink {
  /** Batches handed over and not yet settled. */
  readonly inFlight: number;
  take(batch: Batch): void;
}

/** When a batch that is not full is handed over; see `Batcher.considerSeal`. */
export interface BatchPacing {
  /** At least this long between two hand-overs of batches that are not full, milliseconds. */
  readonly groupDelayMs: number;
  /** A batch with this many bytes does not wait for the delay while the sink has room. */
  readonly eagerBytes: number;
  /** Batches that are not full wait while this many are in flight. */
  readonly inFlightMax: number;
}

/**
 * @hot Collects messages into the open batch and decides when it is handed over.
 *
 *     free ──open()──► open ──sealed──► sink (worker → journal) ──recycle()──► free
 *
 * Batching follows load: with nothing in flight a batch leaves at the end of the event-loop turn it
 * was opened in; while others are in flight it fills. `free + open + in flight = batchesMax`
 * always, which bounds the memory; with none free the protocols stop reading (`whenRoom`).
 */
export class Batcher {
  readonly #clock: Clock;
  readonly #pacing: BatchPacing;
  readonly #sink: BatchSink;
  readonly #free: Batch[];
  readonly #waiters: (() => void)[];
  readonly #flushes: (() => void)[];
  #waitersHead: number;
  #open: Batch | undefined;
  #immediatePending: boolean;
  #timer: NodeJS.Timeout | undefined;
  #lastSealAt: number;
  /** False once draining: `open` gives nothing, so no protocol adds a message. */
  #accepting: boolean;

  constructor(clock: Clock, arenaBytes: number, pacing: BatchPacing, sink: BatchSink) {
    this.#clock = clock;
    this.#pacing = pacing;
    this.#sink = sink;
    this.#free = [];
    for (let index = 0; index < limits.batchesMax; index++) {
      this.#free.push(new Batch(arenaBytes));
    }
    this.#waiters = [];
    this.#waitersHead = 0;
    this.#flushes = [];
    this.#open = undefined;
    this.#immediatePending = false;
    this.#timer = undefined;
    this.#lastSealAt = 0;
    this.#accepting = true;
  }

  /**
   * The open batch with at least one free row and `bytes` free in its arena, or undefined when
   * every batch is busy: stop reading and call `whenRoom`. Fills nothing in; see `Batch.addRow`.
   */
  open(bytes: number): Batch | undefined {
    const batch = this.#open;
    if (batch !== undefined) {
      if (batch.rows < limits.batchMessagesMax && batch.arenaBytes - batch.arenaUsed >= bytes) {
        return batch;
      }
      this.#seal(batch);
    }
    return this.#openNext();
  }

  /** To be called once after the rows of a read or request were added; cheap and idempotent. */
  submit(): void {
    if (this.#immediatePending) return;
    const batch = this.#open;
    if (batch === undefined || batch.rows === 0) return;
    if (batch.firstRowAt === 0) batch.firstRowAt = this.#clock.monotonic();
    this.#immediatePending = true;
    setImmediate(this.#onImmediate);
  }

  /** Calls `resume` once, in the order of the calls, when there may be room again. */
  whenRoom(resume: () => void): void {
    this.#waiters.push(resume);
  }

  /** Registers what writes a protocol's acknowledgements; called after each batch was settled. */
  onSettled(flush: () => void): void {
    this.#flushes.push(flush);
  }

  /** The sink returns a settled batch. */
  recycle(batch: Batch): void {
    for (const flush of this.#flushes) flush();
    batch.reset();
    this.#free.push(batch);
    this.#wake();
    this.considerSeal();
  }

  /** True while a batch can be opened or has room; for admission without adding anything. */
  get hasRoom(): boolean {
    return this.#accepting && (this.#free.length > 0 || this.#open !== undefined);
  }

  /** Hands the open batch over whatever its size, and opens no more. */
  drain(): void {
    this.#accepting = false;
    clearTimeout(this.#timer);
    const batch = this.#open;
    if (batch !== undefined && batch.rows > 0) this.#seal(batch);
  }

  /**
   * Hands the open batch over when that is worth a worker's wake-up and a disk sync: at once when
   * nothing is in flight, else only when it is large; in both cases `groupDelayMs` after the last
   * hand-over, unless it is large. A commit costs 0.2 ms of processor time however small it is, so
   * the delay is what keeps thin traffic from spending the core on commits.
   */
  considerSeal(): void {
    const batch = this.#open;
    if (batch === undefined || batch.rows === 0) return;
    const large = batch.arenaUsed >= this.#pacing.eagerBytes;
    if (this.#sink.inFlight >= (large ? this.#pacing.inFlightMax : 1)) return;
    if (!large) {
      const wait = this.#lastSealAt + this.#pacing.groupDelayMs - this.#clock.monotonic();
      if (wait > 0.05) {
        this.#timer ??= setTimeout(this.#onTimer, wait);
        return;
      }
    }
    this.#seal(batch);
  }

  #openNext(): Batch | undefined {
    const batch = this.#accepting ? this.#free.pop() : undefined;
    this.#open = batch;
    return batch;
  }

  #seal(batch: Batch): void {
    this.#open = undefined;
    if (batch.firstRowAt === 0) batch.firstRowAt = this.#clock.monotonic();
    this.#lastSealAt = this.#clock.monotonic();
    this.#sink.take(batch);
  }

  /** Wakes waiters while there is room; one that finds none queues up behind the others. */
  #wake(): void {
    const waiting = this.#waiters.length;
    while (this.#waitersHead < waiting && this.hasRoom) {
      const resume = this.#waiters[this.#waitersHead]!;
      this.#waitersHead += 1;
      const queued = this.#waiters.length;
      resume();
      // It found no room and waits again: nor will the others.
      if (this.#waiters.length > queued) break;
    }
    if (this.#waitersHead > 0 && this.#waitersHead >= this.#waiters.length / 2) {
      this.#waiters.splice(0, this.#waitersHead);
      this.#waitersHead = 0;
    }
  }

  readonly #onImmediate = (): void => {
    this.#immediatePending = false;
    this.considerSeal();
  };

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.considerSeal();
  };
}
