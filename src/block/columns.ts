import { assert } from '../core/assert.js';
import type { Sink } from './sink.js';

/**
 * @hot The columns of a ClickHouse Native block, written whole from typed arrays.
 *
 *     block  = varint columns, varint rows, column …
 *     column = String name, String type, data of all rows
 *
 * Integers and floats are little-endian, so a typed array's memory is the column (this machine and
 * ClickHouse agree on the byte order; the first test of this folder fails where they do not).
 * Source: https://clickhouse.com/docs/en/interfaces/formats#native and the reader of the server.
 */
export function blockHeader(sink: Sink, columns: number, rows: number): void {
  sink.varint(columns);
  sink.varint(rows);
}

/** UUID: two UInt64 per row, given as the four words of `deviceWords` per row. */
export function uuidColumn(sink: Sink, name: string, words: Uint32Array, rows: number): void {
  columnHeader(sink, name, 'UUID');
  fixed(sink, words, rows * 16);
}

/** The same, left to the caller to fill: returns where its `rows` × 16 bytes begin. */
export function uuidColumnSpace(sink: Sink, name: string, rows: number): number {
  columnHeader(sink, name, 'UUID');
  return sink.claim(rows * 16);
}

/** Milliseconds since 1970 as Int64, given as a low and a high word per row. */
export function dateTime64Column(sink: Sink, name: string, words: Uint32Array, rows: number): void {
  columnHeader(sink, name, dateTime64);
  fixed(sink, words, rows * 8);
}

/** The same, left to the caller to fill: returns where its `rows` × 8 bytes begin. */
export function dateTime64ColumnSpace(sink: Sink, name: string, rows: number): number {
  columnHeader(sink, name, dateTime64);
  return sink.claim(rows * 8);
}

/** `type` spells the whole Enum8, e.g. `Enum8('bool' = 1)`; one Int8 per row. */
export function enum8Column(
  sink: Sink,
  name: string,
  type: string,
  values: Uint8Array,
  rows: number,
): void {
  columnHeader(sink, name, type);
  fixed(sink, values, rows);
}

export function float64Column(sink: Sink, name: string, values: Float64Array, rows: number): void {
  columnHeader(sink, name, 'Float64');
  fixed(sink, values, rows * 8);
}

/** Int64, given as a low and a high word (two's complement) per row. */
export function int64Column(sink: Sink, name: string, words: Uint32Array, rows: number): void {
  columnHeader(sink, name, 'Int64');
  fixed(sink, words, rows * 8);
}

/** `encoded[0, bytes)` holds every row's String already: varint length, bytes. */
export function stringColumn(sink: Sink, name: string, encoded: Uint8Array, bytes: number): void {
  columnHeader(sink, name, 'String');
  sink.raw(encoded, 0, bytes);
}

/**
 * LowCardinality(String) with its own dictionary: `dictionary[0, dictionaryBytes)` are `entries`
 * encoded Strings, `indexes` one entry number per row, of `width` 1, 2 or 4 bytes.
 */
export function lowCardinalityColumn(
  sink: Sink,
  name: string,
  dictionary: Uint8Array,
  dictionaryBytes: number,
  entries: number,
  indexes: ArrayBufferView,
  width: number,
  rows: number,
): void {
  lowCardinalityHeader(sink, name, entries, width);
  sink.raw(dictionary, 0, dictionaryBytes);
  sink.uint64(rows);
  fixed(sink, indexes, rows * width);
}

/**
 * LowCardinality(String) whose one entry, the same in all rows, is not known yet: `length` question
 * marks that the caller replaces later. Returns where they begin in the sink.
 */
export function placeholderColumn(sink: Sink, name: string, length: number, rows: number): number {
  assert(length < 128, 'the placeholder has a one-byte length');
  lowCardinalityHeader(sink, name, 1, 1);
  sink.varint(length);
  const at = sink.claim(length);
  sink.bytes.fill(questionMark, at, at + length);
  sink.uint64(rows);
  sink.zeros(rows);
  return at;
}

/** Upper bound of what one column's name, type and LowCardinality head take. */
export const columnOverheadMax = 160;

const dateTime64 = "DateTime64(3, 'UTC')";
const questionMark = 0x3f;

/** Dictionaries are written with the block, not kept across blocks. */
const sharedDictionariesWithAdditionalKeys = 1;
const hasAdditionalKeys = 0x200;
const needsUpdate = 0x400;

function columnHeader(sink: Sink, name: string, type: string): void {
  sink.ascii(name);
  sink.ascii(type);
}

function lowCardinalityHeader(sink: Sink, name: string, entries: number, width: number): void {
  columnHeader(sink, name, 'LowCardinality(String)');
  sink.uint64(sharedDictionariesWithAdditionalKeys);
  sink.uint64(hasAdditionalKeys | needsUpdate | (width >> 1));
  sink.uint64(entries);
}

function fixed(sink: Sink, values: ArrayBufferView, bytes: number): void {
  assert(bytes <= values.byteLength, 'a column has a value for every row');
  sink.raw(new Uint8Array(values.buffer, values.byteOffset, bytes), 0, bytes);
}
