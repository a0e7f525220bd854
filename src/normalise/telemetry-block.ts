import {
  blockHeader,
  columnOverheadMax,
  dateTime64ColumnSpace,
  enum8Column,
  float64Column,
  int64Column,
  lowCardinalityColumn,
  placeholderColumn,
  stringColumn,
  uuidColumnSpace,
} from '../block/columns.js';
import { Sink } from '../block/sink.js';
import type { BatchView } from './batch-layout.js';
import type { KeyDictionary } from './key-dictionary.js';
import { afterText, isText, type Points } from './points.js';
import { segmentNameBytes } from './result.js';

/** Without `long` and `text`, which are left out where all rows have what is their default. */
const columnsMin = 7;
const valueTypes = "Enum8('bool' = 1, 'long' = 2, 'double' = 3, 'string' = 4, 'json' = 5)";
/** UUID, key index, two times, type, num, long, segment index; text comes on top. */
const rowBytesMax = 16 + 4 + 8 + 8 + 1 + 8 + 8 + 1;
/** A text at least this long is copied by the engine, a shorter one in a loop. */
const longTextBytes = 64;

/**
 * @hot Encodes the points of a batch as a block of the table `telemetry`. Kept and reused by the
 * worker for the two parts of a block that have to be put together first, texts and dictionary.
 */
export class TelemetryBlock {
  #text: Uint8Array;
  #textBytes: number;
  #dictionary: Uint8Array;
  #dictionaryBytes: number;
  /** The same eight bytes as two words and as one number. */
  readonly #words: Uint32Array;
  readonly #bits: Float64Array;

  constructor() {
    this.#text = new Uint8Array(0);
    this.#textBytes = 0;
    this.#dictionary = new Uint8Array(4096);
    this.#dictionaryBytes = 0;
    this.#words = new Uint32Array(2);
    this.#bits = new Float64Array(this.#words.buffer);
  }

  /** Puts texts and dictionary together; returns an upper bound of the bytes of the block. */
  prepare(points: Points, keys: KeyDictionary): number {
    this.#writeDictionary(keys);
    this.#textBytes = points.textEnd > 0 ? this.#mergeTexts(points) : 0;
    return (
      16 +
      (columnsMin + 2) * columnOverheadMax +
      points.count * rowBytesMax +
      this.#textBytes +
      this.#dictionaryBytes
    );
  }

  /** Writes what was prepared; returns where in the sink the name of the segment belongs. */
  write(sink: Sink, points: Points, keys: KeyDictionary, batch: BatchView): number {
    const rows = points.count;
    const columns = columnsMin + Number(points.longs > 0) + Number(points.textEnd > 0);
    blockHeader(sink, columns, rows);
    const deviceAt = uuidColumnSpace(sink, 'device_id', rows);
    this.#writeKeys(sink, points, keys.used.length);
    const tsAt = dateTime64ColumnSpace(sink, 'ts', rows);
    const receivedAt = dateTime64ColumnSpace(sink, 'received_at', rows);
    const view = new DataView(sink.bytes.buffer, sink.bytes.byteOffset, sink.bytes.length);
    spreadDevices(view, deviceAt, points, batch);
    this.#spreadArrivals(view, receivedAt, points, batch.receivedAt);
    sink.bytes.copyWithin(tsAt, receivedAt, receivedAt + rows * 8);
    if (points.ownTimes > 0) this.#spreadOwnTimes(view, tsAt, points);
    enum8Column(sink, 'type', valueTypes, points.type, rows);
    float64Column(sink, 'num', points.num, rows);
    if (points.longs > 0) int64Column(sink, 'long', points.long, rows);
    if (points.textEnd > 0) stringColumn(sink, 'text', this.#text, this.#textBytes);
    return placeholderColumn(sink, 'segment', segmentNameBytes, rows);
  }

  /**
   * Entry numbers take two bytes a row even where one would do: they are written as the scanner
   * left them, and a column of small numbers costs next to nothing once it is compressed.
   */
  #writeKeys(sink: Sink, points: Points, entries: number): void {
    const { entry, entryHigh, count } = points;
    let indexes: ArrayBufferView = entry;
    if (entryHigh !== undefined) {
      const wide = new Uint32Array(count);
      for (let point = 0; point < count; point += 1) wide[point] = points.entryOf(point);
      indexes = wide;
    }
    const width = entryHigh === undefined ? 2 : 4;
    lowCardinalityColumn(
      sink,
      'key',
      this.#dictionary,
      this.#dictionaryBytes,
      entries,
      indexes,
      width,
      count,
    );
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

  /** Puts the texts where they belong between the empty ones; returns the bytes of the column. */
  #mergeTexts(points: Points): number {
    const bytesMax = points.textEnd + points.count + 4;
    if (this.#text.length < bytesMax) this.#text = new Uint8Array(bytesMax * 2);
    const { text: from, textView: fromView, type, count } = points;
    const out = this.#text;
    const outView = new DataView(out.buffer);
    let textAt = 0;
    let at = 0;
    for (let point = 0; point < count; point += 1) {
      if (!isText(type[point]!)) {
        out[at] = 0;
        at += 1;
        continue;
      }
      const next = afterText(from, textAt);
      if (next - textAt < longTextBytes) {
        // In words; what the last one copies too much is written over, or lies behind the end.
        for (let byte = 0; textAt + byte < next; byte += 4) {
          outView.setInt32(at + byte, fromView.getInt32(textAt + byte, true), true);
        }
      } else out.set(from.subarray(textAt, next), at);
      at += next - textAt;
      textAt = next;
    }
    return at;
  }

  /** Writes the arrival of every point's message. */
  #spreadArrivals(view: DataView, from: number, points: Points, arrivals: Float64Array): void {
    const { runRow, runEnd, runs } = points;
    let at = from;
    let last = arrivals[runRow[0]!]!;
    let bits = this.#bitsOf(last);
    for (let run = 0; run < runs; run += 1) {
      const time = arrivals[runRow[run]!]!;
      if (time !== last) {
        bits = this.#bitsOf(time);
        last = time;
      }
      for (const end = from + runEnd[run]! * 8; at < end; at += 8) view.setFloat64(at, bits, true);
    }
  }

  /** Writes the time of every point whose run has its own; the others' arrival stands there. */
  #spreadOwnTimes(view: DataView, from: number, points: Points): void {
    const { runTs, runEnd, runs } = points;
    let at = from;
    for (let run = 0; run < runs; run += 1) {
      const end = from + runEnd[run]! * 8;
      const time = runTs[run]!;
      if (time >= 0) {
        const bits = this.#bitsOf(time);
        for (; at < end; at += 8) view.setFloat64(at, bits, true);
      }
      at = end;
    }
  }

  /**
   * The float64 whose bytes are a whole number of milliseconds as Int64. Times end in the year
   * 2262, far below where such bytes are no number.
   */
  #bitsOf(milliseconds: number): number {
    const high = Math.floor(milliseconds * 2 ** -32);
    this.#words[0] = milliseconds - high * 2 ** 32;
    this.#words[1] = high;
    return this.#bits[0]!;
  }
}

/** Repeats the device of every message for its points. */
function spreadDevices(view: DataView, from: number, points: Points, batch: BatchView): void {
  const { runRow, runEnd, runs } = points;
  const { device, deviceHalves } = batch;
  let at = from;
  for (let run = 0; run < runs; run += 1) {
    const row = runRow[run]!;
    const end = from + runEnd[run]! * 16;
    const first = deviceHalves[row * 2]!;
    const second = deviceHalves[row * 2 + 1]!;
    // Only as numbers these bytes can be moved eight at a time. No bit of a number is lost by
    // that, but of what is not a number (one id in a thousand looks like that) some might be.
    if (!Number.isNaN(first) && !Number.isNaN(second)) {
      for (; at < end; at += 16) {
        view.setFloat64(at, first, true);
        view.setFloat64(at + 8, second, true);
      }
      continue;
    }
    for (; at < end; at += 16) {
      for (let word = 0; word < 4; word += 1) {
        view.setUint32(at + word * 4, device[row * 4 + word]!, true);
      }
    }
  }
}
