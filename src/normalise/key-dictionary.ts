import { randomInt } from 'node:crypto';
import { assert } from '../core/assert.js';

/**
 * Where the fields of a key lie behind its handle in `KeyDictionary.table`:
 *
 *     ┌ size ┬ successor ┬ entry ┬ textAt ┬ plain ┬ hash ┬ last ┬ first ┬ second ┬ … ┐
 *
 * `first`, `second` … are `"key":` in little-endian words of four bytes; `last` are its last four
 * bytes, which overlap the word before when the size is no multiple of four.
 */
export const KeyField = {
  /** Bytes of `"key":`. */
  size: 0,
  /** Handle of the key that followed last time. */
  successor: 1,
  /** The key's number in the batch, or -1 while the batch has not used it. */
  entry: 2,
  /** Where the key, without quotes and colon, begins in `texts`. */
  textAt: 3,
  /** 1 when `"key":` is how the key stands in JSON, 0 when it needs escapes. */
  plain: 4,
  hash: 5,
  last: 6,
  first: 7,
} as const;

/** The handles of the two keys that make an envelope; every dictionary begins with them. */
export const tsKey = 0;
export const valuesKey = KeyField.first + 1;

/** Beyond these a dictionary starts afresh with the next batch. */
const keysKept = 16 * 1024;
const tableKept = 512 * 1024;

const firstKeySlots = 4096;

/**
 * @hot The keys a worker has seen: bytes → handle, kept across batches.
 *
 * A key is kept as it stands in most payloads, `"key":`, so that one comparison of a few words
 * finds the key, its quotes and its colon. `successor` holds which key followed a key last time,
 * `firstKey` which one a device's object began with: the scanner tries that one before it looks for
 * the key's end. A wrong guess costs only time.
 *
 * Everything the scanner needs of a key lies together in one plain array of small integers: V8 does
 * less per read of it than for a typed array in a thread that transfers buffers. Handles stay valid
 * until `beginBatch` clears the dictionary, which it does when the keys of earlier batches take too
 * much. Within a batch its size is bounded by the arena the keys came from.
 */
export class KeyDictionary {
  table: number[];
  texts: Uint8Array;
  textsUsed: number;
  readonly firstKey: Int32Array;
  /** By entry number of the batch: the key's handle. */
  readonly used: number[];
  /** By entry number: the point that has the key; meaningful only with the point's own entry. */
  readonly pointOf: number[];
  #count: number;
  #slots: Int32Array;
  readonly #seed: number;
  readonly #multiplier: number;

  constructor() {
    this.table = [];
    this.texts = new Uint8Array(8 * 1024);
    this.textsUsed = 0;
    this.firstKey = new Int32Array(firstKeySlots);
    this.used = [];
    this.pointOf = [];
    this.#count = 0;
    this.#slots = new Int32Array(1024);
    // Unknown to devices, so that none can prepare keys that collide.
    this.#seed = randomInt(2 ** 32) | 0;
    this.#multiplier = (randomInt(2 ** 31) * 2 + 1) | 0;
    this.#addEnvelopeKeys();
  }

  /** Clears the dictionary when earlier batches filled it; handles of before are invalid then. */
  beginBatch(): void {
    this.releaseEntries(0);
    if (this.#count > keysKept || this.table.length > tableKept) this.clear();
  }

  clear(): void {
    this.table = [];
    this.textsUsed = 0;
    this.used.length = 0;
    this.pointOf.length = 0;
    this.#count = 0;
    this.#slots.fill(0);
    this.firstKey.fill(0);
    this.#addEnvelopeKeys();
  }

  /** Gives the key its number in the batch. */
  enter(key: number): number {
    const entry = this.used.length;
    this.table[key + KeyField.entry] = entry;
    this.used.push(key);
    this.pointOf.push(-1);
    return entry;
  }

  /** Takes back the numbers from `count` on: the message that used them first is refused. */
  releaseEntries(count: number): void {
    const used = this.used;
    while (used.length > count) this.table[used.pop()! + KeyField.entry] = -1;
    this.pointOf.length = count;
  }

  /**
   * Where the first key of a device's objects is remembered; `context` tells kinds of them apart.
   */
  firstKeySlot(deviceWord: number, context: number): number {
    return ((deviceWord & (firstKeySlots / 4 - 1)) << 2) | context;
  }

  /** Predicts `key` after `previous` from now on, or as the first key when that is -1. */
  remember(previous: number, firstSlot: number, key: number): void {
    // A key that needs escapes is never compared as it stands: it would match malformed JSON.
    if (this.table[key + KeyField.plain] === 0) return;
    if (previous < 0) this.firstKey[firstSlot] = key;
    else this.table[previous + KeyField.successor] = key;
  }

  /**
   * The handle of the key `source[from, to)`, which the caller has checked; it is added when new.
   */
  identify(source: Uint8Array, from: number, to: number): number {
    const hash = this.#hash(source, from, to);
    const known = this.#find(source, from, to, hash);
    return known >= 0 ? known : this.#add(source, from, to, hash);
  }

  /** Bytes of the key alone, without quotes and colon. */
  textLength(key: number): number {
    return this.table[key + KeyField.size]! - 3;
  }

  /** Where the key begins in `texts`. */
  textStart(key: number): number {
    return this.table[key + KeyField.textAt]!;
  }

  #hash(source: Uint8Array, from: number, to: number): number {
    const multiplier = this.#multiplier;
    let hash = this.#seed;
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ source[at]!, multiplier);
    return hash ^ (hash >>> 15);
  }

  /** The handle of the key `source[from, to)` with that `hash`, or -1. */
  #find(source: Uint8Array, from: number, to: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const key = slots[slot]! - 1;
      if (key < 0) return -1;
      const same = this.table[key + KeyField.hash] === hash;
      if (same && this.#equals(key, source, from, to)) return key;
    }
  }

  #equals(key: number, source: Uint8Array, from: number, to: number): boolean {
    const length = to - from;
    if (this.textLength(key) !== length) return false;
    const texts = this.texts;
    const at = this.textStart(key);
    for (let index = 0; index < length; index += 1) {
      if (texts[at + index] !== source[from + index]) return false;
    }
    return true;
  }

  /** Adds a key that is not in the dictionary. */
  #add(source: Uint8Array, from: number, to: number, hash: number): number {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#growSlots();
    const table = this.table;
    const key = table.length;
    const textAt = this.#keepText(source, from, to);
    const size = to - from + 3;
    const plain = this.#isPlain(textAt) ? 1 : 0;
    table.push(size, tsKey, -1, textAt, plain, hash);
    // The byte before the text and the two behind it are the quotes and the colon.
    const start = textAt - 1;
    const last = size - 4;
    table.push(this.#word(start + last));
    for (let offset = 0; offset === 0 || offset < last; offset += 4) {
      table.push(this.#word(start + offset));
    }
    this.#insert(key, hash);
    this.#count += 1;
    return key;
  }

  #keepText(source: Uint8Array, from: number, to: number): number {
    const needed = this.textsUsed + to - from + 3;
    if (needed > this.texts.length) {
      const larger = new Uint8Array(needed * 2);
      larger.set(this.texts);
      this.texts = larger;
    }
    const texts = this.texts;
    const textAt = this.textsUsed + 1;
    texts[textAt - 1] = quote;
    for (let at = from; at < to; at += 1) texts[textAt + at - from] = source[at]!;
    texts[textAt + to - from] = quote;
    texts[textAt + to - from + 1] = colon;
    this.textsUsed = needed;
    return textAt;
  }

  #word(at: number): number {
    const texts = this.texts;
    return texts[at]! | (texts[at + 1]! << 8) | (texts[at + 2]! << 16) | (texts[at + 3]! << 24);
  }

  /** Whether the text just kept contains nothing that JSON would escape. */
  #isPlain(textAt: number): boolean {
    for (let at = textAt; at < this.textsUsed - 2; at += 1) {
      if (this.texts[at] === quote || this.texts[at] === backslash) return false;
    }
    return true;
  }

  #insert(key: number, hash: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = key + 1;
  }

  #growSlots(): void {
    const former = this.#slots;
    this.#slots = new Int32Array(former.length * 2);
    for (const slot of former) {
      if (slot !== 0) this.#insert(slot - 1, this.table[slot - 1 + KeyField.hash]!);
    }
  }

  #addEnvelopeKeys(): void {
    const add = (name: string): number => {
      const bytes = Buffer.from(name);
      return this.identify(bytes, 0, bytes.length);
    };
    assert(add('ts') === tsKey && add('values') === valuesKey, 'envelope keys come first');
  }
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
