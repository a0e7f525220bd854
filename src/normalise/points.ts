import { ValueType } from './result.js';

/**
 * @hot The points of one batch while its messages are scanned: a struct of arrays, kept and reused
 * by the worker.
 *
 *     point │ entry  type  num  long(lo, hi)
 *     text  │ varint length, bytes; one per point of type string or json, in order
 *     run   │ row  ts  end              points [end of the run before, end) share row and ts
 *
 * `count ≤ type.length` and `textEnd ≤ text.length` hold because `reserve` is called before a
 * message with what that message can add at most; adding itself checks nothing. `long` is zero
 * except where an integer does not fit a float64 (`longs` of them), so that most blocks skip the
 * column.
 */
export class Points {
  count: number;
  textEnd: number;
  runs: number;
  /** Where the last run ends. */
  runsEnd: number;
  longs: number;
  /** Runs, or more, whose time is not the arrival of their message. */
  ownTimes: number;
  /** Points replaced by a later duplicate in the object being scanned; see `removeDead`. */
  dead: number;
  /** Keys replaced by a later duplicate, for the metric. */
  duplicates: number;
  /** The key's number in the batch, its low 16 bits. */
  entry: Uint16Array;
  /** The rest of it, once a batch has more keys than 16 bits can tell apart. */
  entryHigh: Uint16Array | undefined;
  /** A `ValueType`, plus eight when a later duplicate has replaced the point. */
  type: Uint8Array;
  num: Float64Array;
  long: Uint32Array;
  text: Uint8Array;
  /** The same bytes, to write four at a time. */
  textView: DataView;
  runRow: Int32Array;
  runTs: Float64Array;
  runEnd: Int32Array;

  constructor(capacity: number) {
    this.count = 0;
    this.textEnd = 0;
    this.runs = 0;
    this.runsEnd = 0;
    this.longs = 0;
    this.ownTimes = 0;
    this.dead = 0;
    this.duplicates = 0;
    this.entry = new Uint16Array(capacity);
    this.entryHigh = undefined;
    this.type = new Uint8Array(capacity);
    this.num = new Float64Array(capacity);
    this.long = new Uint32Array(capacity * 2);
    this.text = new Uint8Array(capacity * 4);
    this.textView = new DataView(this.text.buffer);
    this.runRow = new Int32Array(capacity);
    this.runTs = new Float64Array(capacity);
    this.runEnd = new Int32Array(capacity);
  }

  hasRoom(points: number, textBytes: number): boolean {
    return this.count + points <= this.type.length && this.textEnd + textBytes <= this.text.length;
  }

  /** Makes room for that many more points and text bytes; what is there is kept. */
  reserve(points: number, textBytes: number): void {
    const needed = this.count + points;
    if (needed > this.type.length) this.#grow(Math.max(needed, this.type.length * 2));
    const textNeeded = this.textEnd + textBytes;
    if (textNeeded > this.text.length) {
      const text = new Uint8Array(Math.max(textNeeded, this.text.length * 2));
      text.set(this.text.subarray(0, this.textEnd));
      this.text = text;
      this.textView = new DataView(text.buffer);
    }
  }

  /** Forgets everything, in constant time unless exact longs have to be wiped. */
  clear(): void {
    if (this.longs > 0) this.long.fill(0, 0, this.count * 2);
    this.count = 0;
    this.textEnd = 0;
    this.runs = 0;
    this.runsEnd = 0;
    this.longs = 0;
    this.ownTimes = 0;
    this.dead = 0;
    this.duplicates = 0;
    this.entryHigh = undefined;
  }

  /** Forgets every point from `count` on, whose text begins at `textEnd`. */
  rollBack(count: number, textEnd: number, runs: number, duplicates: number): void {
    if (this.longs > 0) this.long.fill(0, count * 2, this.count * 2);
    this.count = count;
    this.textEnd = textEnd;
    this.runs = runs;
    this.runsEnd = runs === 0 ? 0 : this.runEnd[runs - 1]!;
    this.dead = 0;
    this.duplicates = duplicates;
  }

  /**
   * Ends a run: the points since the last one belong to message `row` and have the time `ts`, or
   * that of the message's arrival when it is `arrivalTime`.
   */
  closeRun(row: number, ts: number): void {
    const count = this.count;
    if (count === this.runsEnd) return;
    const runs = this.runs;
    if (ts !== arrivalTime) this.ownTimes += 1;
    this.runRow[runs] = row;
    this.runTs[runs] = ts;
    this.runEnd[runs] = count;
    this.runsEnd = count;
    this.runs = runs + 1;
  }

  /** The key's number in the batch. */
  entryOf(point: number): number {
    const low = this.entry[point]!;
    return this.entryHigh === undefined ? low : low | (this.entryHigh[point]! << 16);
  }

  /** Notes where the points of the object that begins at `objectStart` have their keys. */
  trackKeys(pointOf: number[], objectStart: number): void {
    for (let point = objectStart; point < this.count; point += 1) {
      pointOf[this.entryOf(point)] = point;
    }
  }

  /**
   * Before a value of the key `entry` is added to the object whose points begin at `objectStart`:
   * an earlier value of that object no longer counts. What `pointOf` says may be stale; the point's
   * own key decides.
   */
  replaceFormer(pointOf: number[], entry: number, objectStart: number): void {
    const former = pointOf[entry]!;
    pointOf[entry] = this.count;
    if (former < objectStart || former >= this.count || this.entryOf(former) !== entry) return;
    const type = this.type[former]!;
    if ((type & deadBit) !== 0) return;
    this.type[former] = type | deadBit;
    this.dead += 1;
    this.duplicates += 1;
  }

  /** Closes the gaps of dead points from `from` on, whose text begins at `textFrom`. Linear. */
  removeDead(from: number, textFrom: number): void {
    const { entry, entryHigh, type, num, long, text } = this;
    let to = from;
    let textTo = textFrom;
    let textAt = textFrom;
    for (let point = from; point < this.count; point += 1) {
      const alive = (type[point]! & deadBit) === 0;
      if (isText(type[point]!)) {
        const textNext = afterText(text, textAt);
        if (alive) {
          text.copyWithin(textTo, textAt, textNext);
          textTo += textNext - textAt;
        }
        textAt = textNext;
      }
      if (!alive) continue;
      entry[to] = entry[point]!;
      if (entryHigh !== undefined) entryHigh[to] = entryHigh[point]!;
      type[to] = type[point]!;
      num[to] = num[point]!;
      long[to * 2] = long[point * 2]!;
      long[to * 2 + 1] = long[point * 2 + 1]!;
      to += 1;
    }
    if (this.longs > 0) long.fill(0, to * 2, this.count * 2);
    this.count = to;
    this.textEnd = textTo;
    this.dead = 0;
  }

  /** Appends a boolean or number. */
  addNumber(entry: number, type: ValueType, value: number): void {
    const point = this.count;
    if (entry > 0xffff || this.entryHigh !== undefined) this.#setEntryHigh(point, entry);
    this.entry[point] = entry;
    this.type[point] = type;
    this.num[point] = value;
    this.count = point + 1;
  }

  /** Appends an integer whose digits need more than a float64: `value` and the two words of it. */
  addLong(entry: number, value: number, low: number, high: number): void {
    const point = this.count;
    this.long[point * 2] = low;
    this.long[point * 2 + 1] = high;
    this.longs += 1;
    this.addNumber(entry, ValueType.long, value);
  }

  /** Appends a string or JSON text that was written before and ended with `endText`. */
  addText(entry: number, type: ValueType): void {
    this.addNumber(entry, type, 0);
  }

  /**
   * Ends a text whose bytes were written from `textEnd + 1` up to `end`: puts its length before it,
   * moving it when the length takes more than the one byte left free.
   */
  endText(end: number): void {
    const text = this.text;
    const start = this.textEnd;
    let length = end - start - 1;
    if (length < 128) {
      text[start] = length;
      this.textEnd = end;
      return;
    }
    const extra = length < 1 << 14 ? 1 : length < 1 << 21 ? 2 : 3;
    text.copyWithin(start + 1 + extra, start + 1, end);
    let at = start;
    while (length > 127) {
      text[at] = (length & 127) | 128;
      length >>>= 7;
      at += 1;
    }
    text[at] = length;
    this.textEnd = end + extra;
  }

  #setEntryHigh(point: number, entry: number): void {
    this.entryHigh ??= new Uint16Array(this.type.length);
    this.entryHigh[point] = entry >>> 16;
  }

  #grow(capacity: number): void {
    this.entry = copied(new Uint16Array(capacity), this.entry);
    if (this.entryHigh !== undefined) {
      this.entryHigh = copied(new Uint16Array(capacity), this.entryHigh);
    }
    this.type = copied(new Uint8Array(capacity), this.type);
    this.num = copied(new Float64Array(capacity), this.num);
    this.long = copied(new Uint32Array(capacity * 2), this.long);
    this.runRow = copied(new Int32Array(capacity), this.runRow);
    this.runTs = copied(new Float64Array(capacity), this.runTs);
    this.runEnd = copied(new Int32Array(capacity), this.runEnd);
  }
}

/** The time of a run whose device sent none; no device can send it. */
export const arrivalTime = -1;

const deadBit = 8;

/** True for the types whose value is a text: string 4 and json 5. */
export function isText(type: number): boolean {
  return (type & 4) !== 0;
}

/** Where the text after the one at `at` begins. */
export function afterText(text: Uint8Array, at: number): number {
  let length = 0;
  let shift = 0;
  let next = at;
  for (;;) {
    const byte = text[next]!;
    next += 1;
    length |= (byte & 127) << shift;
    if (byte < 128) return next + length;
    shift += 7;
  }
}

/** Where the bytes of the text at `at` begin, behind its length. */
export function textStart(text: Uint8Array, at: number): number {
  let next = at;
  while (text[next]! > 127) next += 1;
  return next + 1;
}

interface Settable<T> {
  set(source: T): void;
}

function copied<T extends Settable<T>>(larger: T, smaller: T): T {
  larger.set(smaller);
  return larger;
}
