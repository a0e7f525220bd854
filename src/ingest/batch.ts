import { assert } from '../core/assert.js';
import { limits } from '../core/limits.js';
import type { Origin } from '../core/origin.js';
import {
  allocateBatch,
  BatchHead,
  BatchView,
  MessageKind as kinds,
  type MessageKind,
  type Protocol,
} from '../normalise/batch-layout.js';

const outputBytesInitial = 512 * 1024;
/** A buffer that one unusual batch made large is given back to the collector. */
const outputBytesKept = 8 * 1024 * 1024;

/** What a row needs to know of a device. */
export interface IngestDevice {
  readonly words: Uint32Array;
  readonly normaliseFlags: number;
}

/**
 * @hot A batch being filled on the main thread: the shared bytes of batch-layout.ts and, beside
 * them, who waits for each row. `rows ≤ batchMessagesMax` and `arenaUsed ≤ arenaBytes` always hold;
 * the caller asks `Batcher.open` for room before it adds.
 */
export class Batch {
  view: BatchView;
  /** Where the worker encodes the batch's records; comes back with the batch. */
  #output: ArrayBuffer;
  rows: number;
  arenaUsed: number;
  readonly arenaBytes: number;
  readonly origins: (Origin | undefined)[];
  readonly refs: Int32Array;
  /** Monotonic milliseconds when the first row arrived; for the acknowledgement metric. */
  firstRowAt: number;

  constructor(arenaBytes: number) {
    this.view = new BatchView(allocateBatch(arenaBytes));
    this.#output = new ArrayBuffer(outputBytesInitial);
    this.rows = 0;
    this.arenaUsed = 0;
    this.arenaBytes = arenaBytes;
    this.origins = new Array<Origin | undefined>(limits.batchMessagesMax).fill(undefined);
    this.refs = new Int32Array(limits.batchMessagesMax);
    this.firstRowAt = 0;
  }

  /** Copies `source[from, to)` into the arena; returns the arena offset of `source[from]`. */
  copyIn(source: Uint8Array, from: number, to: number): number {
    const at = this.arenaUsed;
    const bytes = to - from;
    if (bytes > 0) {
      this.view.arena.set(
        from === 0 && to === source.length ? source : source.subarray(from, to),
        at,
      );
      this.arenaUsed = at + bytes;
    }
    return at;
  }

  /**
   * Adds one message whose bytes are (or, before the tick ends, will be) in the arena at `start`.
   * `topicStart`/`topicLength` point at the topic name or path in the arena; length 0 for none.
   * `origin` is undefined for QoS 0 and whatever else waits for nothing.
   */
  addRow(
    device: IngestDevice,
    kind: MessageKind,
    protocol: Protocol,
    receivedAt: number,
    start: number,
    length: number,
    topicStart: number,
    topicLength: number,
    origin: Origin | undefined,
    ref: number,
  ): void {
    const row = this.rows;
    const view = this.view;
    const words = device.words;
    view.receivedAt[row] = receivedAt;
    view.device[row * 4] = words[0]!;
    view.device[row * 4 + 1] = words[1]!;
    view.device[row * 4 + 2] = words[2]!;
    view.device[row * 4 + 3] = words[3]!;
    view.start[row] = start;
    view.length[row] = length;
    view.topicStart[row] = topicStart;
    view.topicLength[row] = topicLength;
    view.kind[row] = kind;
    view.flags[row] = device.normaliseFlags;
    view.protocol[row] = protocol;
    view.outcome[row] = 0;
    this.origins[row] = origin;
    this.refs[row] = ref;
    this.rows = row + 1;
  }

  /**
   * Marks the row just added as refused by the protocol, with the outcome that it will settle to.
   */
  refuseLastRow(outcome: number): void {
    const row = this.rows - 1;
    this.view.kind[row] = kinds.refused;
    this.view.outcome[row] = outcome;
    this.view.reasonOffset[row] = -1;
  }

  /** Writes the head before the hand-over; the views are unusable until `rebind`. */
  seal(): ArrayBuffer {
    this.view.head[BatchHead.rows] = this.rows;
    this.view.head[BatchHead.arenaUsed] = this.arenaUsed;
    return this.view.buffer;
  }

  /** The output buffer, to be transferred together with what `seal` gives. */
  takeOutput(): ArrayBuffer {
    return this.#output;
  }

  /** Takes both buffers back from the worker. */
  rebind(input: ArrayBuffer, output: ArrayBuffer): void {
    assert(input.byteLength > 0, 'a batch buffer comes back whole');
    this.view = new BatchView(input);
    this.#output = output.byteLength <= outputBytesKept ? output : new ArrayBuffer(0);
  }

  /** New buffers in place of those that a dead worker took with it; the rows stay. */
  replaceBuffers(): void {
    this.view = new BatchView(allocateBatch(this.arenaBytes));
    this.#output = new ArrayBuffer(outputBytesInitial);
  }

  reset(): void {
    this.origins.fill(undefined, 0, this.rows);
    this.rows = 0;
    this.arenaUsed = 0;
    this.firstRowAt = 0;
  }
}
