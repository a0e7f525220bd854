import { limits } from '../core/limits.js';

/** Who has acknowledgements, or anything else, to write; a connection. */
export interface AckHolder {
  /** First and last entry of this holder's chain in the list, or -1. */
  ackHead: number;
  ackTail: number;
  ackCount: number;
  /** True while the holder is in the list of those with something to write. */
  dirty: boolean;
  /** Writes everything; called once per round. */
  flush(): void;
}

/**
 * @hot The four-byte acknowledgements (PUBACK, PUBREC of success) of one settle round, before they
 * are written.
 *
 *     words  [ 40 02 00 01 | 40 02 00 07 | 40 02 00 02 | … ]      one entry per acknowledgement
 *     next   [      2      |      -1     |      -1     | … ]      the same holder's next entry
 *     dirty  [ holder a, holder b ]                              each once, in order of first entry
 *
 * Chains through one shared pair of arrays instead of a buffer per connection: an idle connection
 * owns nothing, and a round touches a few cache lines however many connections it serves.
 */
export class AckList {
  readonly #words: Int32Array;
  readonly #next: Int32Array;
  readonly #dirty: AckHolder[];
  #used: number;

  constructor() {
    this.#words = new Int32Array(limits.batchMessagesMax);
    this.#next = new Int32Array(limits.batchMessagesMax);
    this.#dirty = [];
    this.#used = 0;
  }

  /** Appends a packet given as its four bytes, big-endian, e.g. `0x40020000 | identifier`. */
  add(holder: AckHolder, word: number): void {
    if (this.#used === limits.batchMessagesMax) this.flushAll();
    const index = this.#used;
    this.#used = index + 1;
    this.#words[index] = word;
    this.#next[index] = -1;
    if (holder.ackTail < 0) holder.ackHead = index;
    else this.#next[holder.ackTail] = index;
    holder.ackTail = index;
    holder.ackCount += 1;
    if (!holder.dirty) this.touch(holder);
  }

  /** Has the holder flushed at the end of the round. */
  touch(holder: AckHolder): void {
    if (holder.dirty) return;
    holder.dirty = true;
    this.#dirty.push(holder);
  }

  /** Writes the holder's chain to `into` from 0 and empties it; needs 4 × `ackCount` bytes. */
  take(holder: AckHolder, into: Uint8Array): void {
    const words = this.#words;
    const next = this.#next;
    let at = 0;
    for (let index = holder.ackHead; index >= 0; index = next[index]!) {
      const word = words[index]!;
      into[at] = word >>> 24;
      into[at + 1] = word >>> 16;
      into[at + 2] = word >>> 8;
      into[at + 3] = word;
      at += 4;
    }
    this.forget(holder);
  }

  /** Drops the holder's chain without writing it. */
  forget(holder: AckHolder): void {
    holder.ackHead = -1;
    holder.ackTail = -1;
    holder.ackCount = 0;
  }

  /** Flushes every holder that has something to write. A flush may make another holder dirty. */
  flushAll(): void {
    const dirty = this.#dirty;
    for (let index = 0; index < dirty.length; index++) {
      const holder = dirty[index]!;
      holder.dirty = false;
      holder.flush();
    }
    dirty.length = 0;
    this.#used = 0;
  }
}

/** Views that are kept ready: most rounds owe a connection one to a few acknowledgements. */
const viewsKept = 64;

/**
 * @hot The bytes of one write. A socket that took everything at once has no use for them any more,
 * so the same few bytes serve all connections; they are given up only when a write has to wait.
 */
export class Scratch {
  #buffer: Buffer;
  #views: (Buffer | undefined)[];

  constructor() {
    this.#buffer = Buffer.allocUnsafeSlow(limits.batchMessagesMax * 4);
    this.#views = new Array<Buffer | undefined>(viewsKept + 1).fill(undefined);
  }

  /** `4 × count` bytes with arbitrary content, valid until the next call. */
  view(count: number): Buffer {
    if (count > viewsKept) return this.#buffer.subarray(0, count * 4);
    let view = this.#views[count];
    if (view === undefined) {
      view = this.#buffer.subarray(0, count * 4);
      this.#views[count] = view;
    }
    return view;
  }

  /** The last view is still being written: leave it to its socket. */
  renew(): void {
    this.#buffer = Buffer.allocUnsafeSlow(limits.batchMessagesMax * 4);
    this.#views.fill(undefined);
  }
}
