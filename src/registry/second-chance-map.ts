import { assert } from '../core/assert.js';

/** What a `SecondChanceMap` holds: `used` is set by whoever reads the value. */
export interface Chance {
  used: boolean;
}

/** Keeps a full sweep from happening in one insertion. */
const chancesPerInsertion = 64;

/**
 * @hot A bounded map that forgets what was not used lately, for values that are read far more often
 * than they are put in: reading marks the value and moves nothing.
 *
 *       hand
 *        ▼
 *     [ a• ][ b ][ c• ][ d ] …       • used since the hand last came by
 *
 * When it is full, the hand goes round in the order of insertion: it takes the mark from a used
 * entry and passes on, and removes the first that has none. Invariant: size ≤ entriesMax.
 */
export class SecondChanceMap<V extends Chance> {
  readonly #entriesMax: number;
  readonly #entries: Map<string, V>;
  readonly #evicted: (key: string, value: V) => void;
  /** Stays valid while entries come and go; a new one would step over all removed entries again. */
  #hand: IterableIterator<[string, V]>;

  /** `evicted` is called for what is removed to make room, not for what `delete` removes. */
  constructor(entriesMax: number, evicted: (key: string, value: V) => void) {
    assert(entriesMax > 0, 'a bounded map has room for an entry');
    this.#entriesMax = entriesMax;
    this.#entries = new Map();
    this.#evicted = evicted;
    this.#hand = this.#entries.entries();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    if (this.#entries.size >= this.#entriesMax && !this.#entries.has(key)) this.#makeRoom();
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#hand = this.#entries.entries();
  }

  #makeRoom(): void {
    for (let chances = 0; ; ) {
      const next = this.#hand.next();
      if (next.done === true) {
        this.#hand = this.#entries.entries();
        continue;
      }
      const [key, value] = next.value;
      if (value.used && chances < chancesPerInsertion) {
        value.used = false;
        chances += 1;
        continue;
      }
      this.#entries.delete(key);
      this.#evicted(key, value);
      return;
    }
  }
}
