import { limits } from '../core/limits.js';
import type { Outcome } from '../core/outcome.js';
import type { BatchView } from './batch-layout.js';
import { KeyDictionary } from './key-dictionary.js';
import { Points } from './points.js';

/**
 * @hot What the scanning functions share: the batch's bytes, where points go, and what went wrong.
 *
 * The functions take and return positions in `arena`; a negative one means the message is refused,
 * `outcome` and `failedAt` say why. JSON functions rely on a zero byte behind the message's last
 * byte: no token of JSON contains one, so none of them can run past the end. MessagePack functions
 * compare with `end`.
 */
export class Scan {
  arena: Uint8Array;
  view: DataView;
  /** The same bytes again: only Buffer turns bytes into text without a decoder's set-up cost. */
  buffer: Buffer;
  readonly points: Points;
  readonly keys: KeyDictionary;
  /** First byte of the message and the byte behind its last. */
  start: number;
  end: number;
  /** Where a zero stands for the byte `behind`, or -1. */
  terminatedAt: number;
  behind: number;
  row: number;
  /** By row: bits of `NormaliseFlag`, and the time of arrival. */
  flags: Uint8Array;
  receivedAt: Float64Array;
  nowMs: number;
  /** A word of the message's device, to find its predicted first key. */
  deviceWord: number;
  outcome: Outcome | typeof envelopeKeySeen;
  failedAt: number;
  /** Integer literals beyond int64, of the message being scanned. */
  widened: number;

  // Results besides the position.
  key: number;
  /** State of the object being scanned, see `scanMembers`. */
  previous: number;
  predicted: number;
  members: number;
  valueAt: number;
  seen: number;
  tracked: boolean;
  low: number;
  high: number;
  tsAt: number;
  valuesAt: number;
  /**
   * The MessagePack token read last: its `TokenKind`, its length or number of elements. The value
   * of an integer is in `low` and `high`, that of a float in `float`.
   */
  tokenKind: number;
  tokenSize: number;

  /** Containers open around a position of nested text: 1 for an object. */
  readonly nesting: Uint8Array;
  /** Elements still to come in an open MessagePack container. */
  readonly remaining: Float64Array;
  /** A key with its escapes resolved. */
  readonly scratch: Uint8Array;
  /** A float in a field of its own is allocated anew each time that it is set. */
  readonly #floats: Float64Array;

  constructor() {
    this.arena = new Uint8Array(0);
    this.view = new DataView(this.arena.buffer);
    this.buffer = Buffer.alloc(0);
    this.points = new Points(4096);
    this.keys = new KeyDictionary();
    this.start = 0;
    this.end = 0;
    this.terminatedAt = -1;
    this.behind = 0;
    this.row = 0;
    this.flags = this.arena;
    this.receivedAt = new Float64Array(0);
    this.nowMs = 0;
    this.deviceWord = 0;
    this.outcome = 0;
    this.failedAt = 0;
    this.widened = 0;
    this.key = 0;
    this.previous = 0;
    this.predicted = 0;
    this.members = 0;
    this.valueAt = 0;
    this.seen = 0;
    this.tracked = false;
    this.low = 0;
    this.high = 0;
    this.tsAt = 0;
    this.valuesAt = 0;
    this.tokenKind = 0;
    this.tokenSize = 0;
    this.#floats = new Float64Array(2);
    this.nesting = new Uint8Array(limits.jsonDepthMax + 2);
    this.remaining = new Float64Array(limits.jsonDepthMax + 2);
    this.scratch = new Uint8Array(limits.keyBytesMax + 8);
  }

  /** The value of a MessagePack token that is a float, or an integer just read. */
  get float(): number {
    return this.#floats[0]!;
  }

  set float(value: number) {
    this.#floats[0] = value;
  }

  /** The time to store of the element being scanned. */
  get timestamp(): number {
    return this.#floats[1]!;
  }

  set timestamp(value: number) {
    this.#floats[1] = value;
  }

  /** Takes the views of a batch; they are given up again in `endBatch`. */
  beginBatch(batch: BatchView, nowMs: number): void {
    const { buffer, byteOffset, byteLength } = batch.arena;
    this.arena = batch.arena;
    this.view = new DataView(buffer, byteOffset, byteLength);
    this.buffer = Buffer.from(buffer, byteOffset, byteLength);
    this.flags = batch.flags;
    this.receivedAt = batch.receivedAt;
    this.nowMs = nowMs;
    this.points.clear();
    this.keys.beginBatch();
  }

  /** Puts a zero behind the message; `restoreTerminated` puts back what was there. */
  terminate(): void {
    this.behind = this.arena[this.end]!;
    this.terminatedAt = this.end;
    this.arena[this.end] = 0;
  }

  restoreTerminated(): void {
    if (this.terminatedAt < 0) return;
    this.arena[this.terminatedAt] = this.behind;
    this.terminatedAt = -1;
  }

  endBatch(): void {
    this.arena = new Uint8Array(0);
    this.view = new DataView(this.arena.buffer);
    this.buffer = Buffer.alloc(0);
    this.flags = this.arena;
    this.receivedAt = new Float64Array(0);
  }
}

/** Not an outcome: an object holds `ts` or `values`, so it may be an envelope. */
export const envelopeKeySeen = 255;

/** Notes why the message is refused and at which byte; returns the position that says so. */
export function fail(scan: Scan, outcome: Outcome | typeof envelopeKeySeen, at: number): number {
  scan.outcome = outcome;
  scan.failedAt = at;
  return -1;
}
