import { limits } from '../core/limits.js';

/**
 * What all bodies in memory may take together: `0 ≤ used ≤ bytesMax`. Whoever cannot take answers
 * 503; what was taken is given back whole.
 */
export class BodyBudget {
  readonly bytesMax: number;
  used: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.used = 0;
  }

  take(bytes: number): boolean {
    if (this.used + bytes > this.bytesMax) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

export const Appended = { ok: 0, tooLarge: 1, overBudget: 2 } as const;
export type Appended = (typeof Appended)[keyof typeof Appended];

const firstCapacityBytes = 4096;

/**
 * One request body in memory of its own, for every body that cannot go straight into a batch: one
 * that came in pieces, that must be expanded, or that waits.
 *
 * It grows with what has arrived, never with what was declared, so that announcing much costs the
 * peer as much as sending it. The budget is charged for the room taken plus a fixed overhead, which
 * bounds the count of tiny bodies too. `release` gives all of it back, once.
 */
export class Body {
  readonly #budget: BodyBudget;
  readonly #bytesMax: number;
  #bytes: Uint8Array;
  #length: number;
  #charged: number;

  constructor(budget: BodyBudget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
    this.#bytes = empty;
    this.#length = 0;
    this.#charged = 0;
  }

  /** Copies a piece; the piece stays the caller's. */
  append(piece: Uint8Array): Appended {
    const length = this.#length + piece.length;
    if (length > this.#bytesMax) return Appended.tooLarge;
    if (length > this.#bytes.length || this.#charged === 0) {
      if (!this.#grow(length)) return Appended.overBudget;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
    return Appended.ok;
  }

  /** Copies a body that is complete with this piece: takes no more room than it needs. */
  appendLast(piece: Uint8Array): Appended {
    if (this.#length > 0) return this.append(piece);
    if (piece.length > this.#bytesMax) return Appended.tooLarge;
    if (!this.#room(piece.length)) return Appended.overBudget;
    this.#bytes.set(piece);
    this.#length = piece.length;
    return Appended.ok;
  }

  /** Takes over `bytes`, which nobody else uses any more, in place of what it held. */
  replace(bytes: Uint8Array): boolean {
    this.release();
    if (!this.#budget.take(bytes.length + limits.httpBodyOverheadBytes)) return false;
    this.#charged = bytes.length + limits.httpBodyOverheadBytes;
    this.#bytes = bytes;
    this.#length = bytes.length;
    return true;
  }

  /** What has arrived; a view that holds until the next change. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  release(): void {
    this.#budget.give(this.#charged);
    this.#charged = 0;
    this.#bytes = empty;
    this.#length = 0;
  }

  #grow(lengthAtLeast: number): boolean {
    const doubled = Math.max(firstCapacityBytes, 2 * this.#bytes.length, lengthAtLeast);
    return this.#room(Math.min(doubled, Math.max(this.#bytesMax, lengthAtLeast)));
  }

  #room(capacity: number): boolean {
    const charge = capacity + limits.httpBodyOverheadBytes - this.#charged;
    if (!this.#budget.take(charge)) return false;
    this.#charged += charge;
    // Zeroed memory costs little here and never shows another device's bytes.
    const larger = new Uint8Array(capacity);
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    return true;
  }
}

const empty = new Uint8Array(0);
