import {
  blockHeader,
  columnOverheadMax,
  dateTime64Column,
  enum8Column,
  float64Column,
  indexBytes,
  int64Column,
  int64ZeroColumn,
  lowCardinalityColumn,
  placeholderColumn,
  stringColumn,
  stringEmptyColumn,
  uuidColumn,
} from '../block/columns.js';
import { Sink } from '../block/sink.js';
import type { BatchView } from './batch-layout.js';
import type { KeyDictionary } from './key-dictionary.js';
import { afterText, arrivalTime, isText, keyShift, type Points, typeMask } from './points.js';
import { segmentNameBytes } from './result.js';

const columns = 9;
const valueTypes = "Enum8('bool' = 1, 'long' = 2, 'double' = 3, 'string' = 4, 'json' = 5)";
/** UUID, key index, two times, type, num, long, segment index; text comes on top. */
const rowBytesMax = 16 + 4 + 8 + 8 + 1 + 8 + 8 + 1;

/** A text at least this long is copied by the engine, a shorter one in a loop. */
const longTextBytes = 64;

/**
 * @hot Encodes the points of a batch as a block of the table `telemetry`. Kept and reused by the
 * worker: what it holds are the columns that the points do not have as such.
 */
export class TelemetryBlock {
  #device: Uint32Array;
  #receivedAt: Uint32Array;
  /** The high word that every row of `#receivedAt` has; -1 when they differ. */
  #receivedAtHigh: number;
  #ts: Uint32Array;
  #type: Uint8Array;
  #text: Uint8Array;
  #textBytes: number;
  /** Entry number of every row's key, as bytes, words or double words. */
  #index8: Uint8Array;
  #indexes: ArrayBufferView;
  #entries: number;
  #dictionary: Uint8Array;
  #dictionaryBytes: number;

  constructor() {
    this.#device = new Uint32Array(0);
    this.#receivedAt = new Uint32Array(0);
    this.#receivedAtHigh = -1;
    this.#ts = new Uint32Array(0);
    this.#type = new Uint8Array(0);
    this.#text = new Uint8Array(0);
    this.#textBytes = 0;
    this.#index8 = new Uint8Array(0);
    this.#indexes = this.#index8;
    this.#entries = 0;
    this.#dictionary = new Uint8Array(4096);
    this.#dictionaryBytes = 0;
  }

  /** Makes the columns and returns an upper bound of the bytes that `write` will need. */
  prepare(points: Points, keys: KeyDictionary, batch: BatchView): number {
    if (this.#type.length < points.count) this.#grow(points.meta.length);
    this.#splitMeta(points, keys.used.length);
    this.#writeDictionary(keys);
    this.#spreadMessages(points, batch);
    if (points.ownTimes > 0) spreadTimes(this.#ts, points, batch.receivedAt, true);
    this.#textBytes = points.textEnd > 0 ? this.#mergeTexts(points) : points.count;
    return (
      16 +
      columns * columnOverheadMax +
      points.count * rowBytesMax +
      this.#textBytes +
      this.#dictionaryBytes
    );
  }

  /** Writes what was prepared; returns where in the sink the name of the segment belongs. */
  write(sink: Sink, points: Points): number {
    const rows = points.count;
    blockHeader(sink, columns, rows);
    uuidColumn(sink, 'device_id', this.#device, rows);
    lowCardinalityColumn(
      sink,
      'key',
      this.#dictionary,
      this.#dictionaryBytes,
      this.#entries,
      this.#indexes,
      rows,
    );
    dateTime64Column(sink, 'ts', points.ownTimes > 0 ? this.#ts : this.#receivedAt, rows);
    dateTime64Column(sink, 'received_at', this.#receivedAt, rows);
    enum8Column(sink, 'type', valueTypes, this.#type, rows);
    float64Column(sink, 'num', points.num, rows);
    if (points.longs > 0) int64Column(sink, 'long', points.long, rows);
    else int64ZeroColumn(sink, 'long', rows);
    if (points.textEnd > 0) stringColumn(sink, 'text', this.#text, this.#textBytes);
    else stringEmptyColumn(sink, 'text', rows);
    return placeholderColumn(sink, 'segment', segmentNameBytes, rows);
  }

  #grow(capacity: number): void {
    this.#device = new Uint32Array(capacity * 4);
    this.#receivedAt = new Uint32Array(capacity * 2);
    this.#receivedAtHigh = -1;
    this.#ts = new Uint32Array(capacity * 2);
    this.#type = new Uint8Array(capacity);
    this.#index8 = new Uint8Array(capacity);
  }

  /** Takes every row's type and key number apart. */
  #splitMeta(points: Points, entries: number): void {
    const { meta, count } = points;
    const types = this.#type;
    const index8 = this.#index8;
    for (let point = 0; point < count; point += 1) {
      const bits = meta[point]!;
      types[point] = bits & typeMask;
      index8[point] = bits >> keyShift;
    }
    this.#entries = entries;
    this.#indexes = index8;
    const bytes = indexBytes(entries);
    if (bytes === 1) return;
    const wide = bytes === 2 ? new Uint16Array(count) : new Uint32Array(count);
    for (let point = 0; point < count; point += 1) wide[point] = meta[point]! >> keyShift;
    this.#indexes = wide;
  }

  #writeDictionary(keys: KeyDictionary): void {
    let bytes = 0;
    for (const key of keys.used) bytes += keys.textLength(key) + 2;
    if (bytes > this.#dictionary.length) this.#dictionary = new Uint8Array(bytes * 2);
    const sink = new Sink(this.#dictionary, 0);
    for (const key of keys.used) {
      const length = keys.textLength(key);
      const start = keys.textStart(key);
      sink.varint(length);
      sink.raw(keys.texts, start, start + length);
    }
    this.#dictionaryBytes = sink.at;
  }

  /** Repeats device and arrival of every message for its points. */
  #spreadMessages(points: Points, batch: BatchView): void {
    const { runRow, runEnd, runs } = points;
    const { device: words, receivedAt: times } = batch;
    const device = this.#device;
    const received = this.#receivedAt;
    // Arrivals of one batch, and of the batches before, have the same high word for 49 days.
    const high = Math.floor(times[runRow[0]!]! * perWord);
    if (high !== this.#receivedAtHigh) {
      for (let word = 1; word < received.length; word += 2) received[word] = high;
      this.#receivedAtHigh = high;
    }
    let time = -1;
    let low = 0;
    let point = 0;
    for (let run = 0; run < runs; run += 1) {
      const row = runRow[run]!;
      const end = runEnd[run]!;
      const a = words[row * 4]!;
      const b = words[row * 4 + 1]!;
      const c = words[row * 4 + 2]!;
      const d = words[row * 4 + 3]!;
      if (times[row] !== time) {
        time = times[row]!;
        if (Math.floor(time * perWord) !== high) this.#receivedAtHigh = -1;
        low = (time - high * 2 ** 32) | 0;
      }
      for (; point < end; point += 1) {
        device[point * 4] = a;
        device[point * 4 + 1] = b;
        device[point * 4 + 2] = c;
        device[point * 4 + 3] = d;
        received[point * 2] = low;
      }
    }
    if (this.#receivedAtHigh === -1) spreadTimes(received, points, times, false);
  }

  /** Puts the texts where they belong between the empty ones; returns the bytes of the column. */
  #mergeTexts(points: Points): number {
    const bytesMax = points.textEnd + points.count;
    if (this.#text.length < bytesMax) this.#text = new Uint8Array(bytesMax * 2);
    const from = points.text;
    const out = this.#text;
    const meta = points.meta;
    let textAt = 0;
    let at = 0;
    for (let point = 0; point < points.count; point += 1) {
      if (!isText(meta[point]!)) {
        out[at] = 0;
        at += 1;
        continue;
      }
      const next = afterText(from, textAt);
      if (next - textAt < longTextBytes) {
        for (; textAt < next; textAt += 1, at += 1) out[at] = from[textAt]!;
      } else {
        out.set(from.subarray(textAt, next), at);
        at += next - textAt;
        textAt = next;
      }
    }
    return at;
  }
}

const perWord = 2 ** -32;

/** Writes every point's time as Int64: that of its run if `own`, else that of its arrival. */
function spreadTimes(out: Uint32Array, points: Points, arrivals: Float64Array, own: boolean): void {
  const { runRow, runTs, runEnd, runs } = points;
  let point = 0;
  for (let run = 0; run < runs; run += 1) {
    const end = runEnd[run]!;
    let time = own ? runTs[run]! : arrivalTime;
    if (time === arrivalTime) time = arrivals[runRow[run]!]!;
    const high = Math.floor(time * perWord);
    const low = (time - high * 2 ** 32) | 0;
    for (; point < end; point += 1) {
      out[point * 2] = low;
      out[point * 2 + 1] = high;
    }
  }
}
