import { assert } from '../core/assert.js';
import { Sink } from './sink.js';

/**
 * Cuts rows out of a Native block that this folder wrote, so that one refused row can be found and
 * set aside while its neighbours are stored. Off the hot path.
 *
 * Reads back only the column types that columns.ts writes; anything else breaks an assertion,
 * because the journal's checksum says that the bytes are ours.
 */

/** Rows of a block. */
export function blockRows(block: Uint8Array): number {
  const cursor = new Cursor(block);
  cursor.varint();
  return cursor.varint();
}

/**
 * A block of the rows `[from, to)` of `block`, all columns, types and dictionaries as they were.
 */
export function sliceBlock(block: Uint8Array, from: number, to: number): Uint8Array {
  const cursor = new Cursor(block);
  const columns = cursor.varint();
  const rows = cursor.varint();
  assert(0 <= from && from < to && to <= rows, 'a slice lies within its block');
  const out = new Sink(new Uint8Array(block.length + 16), 0);
  out.varint(columns);
  out.varint(to - from);
  for (let column = 0; column < columns; column += 1) sliceColumn(cursor, out, rows, from, to);
  assert(cursor.at === block.length, 'a block ends with its last column');
  return out.bytes.subarray(0, out.at);
}

const fixedWidths: ReadonlyMap<string, number> = new Map([
  ['UUID', 16],
  ['Float64', 8],
  ['Int64', 8],
]);

function sliceColumn(cursor: Cursor, out: Sink, rows: number, from: number, to: number): void {
  const start = cursor.at;
  cursor.string();
  const type = cursor.string();
  out.raw(cursor.bytes, start, cursor.at);
  const width = widthOf(type);
  if (width > 0) {
    out.raw(cursor.bytes, cursor.at + from * width, cursor.at + to * width);
    cursor.at += rows * width;
  } else if (type === 'String') {
    cursor.skipStrings(from);
    const first = cursor.at;
    cursor.skipStrings(to - from);
    out.raw(cursor.bytes, first, cursor.at);
    cursor.skipStrings(rows - to);
  } else {
    assert(type === 'LowCardinality(String)', `a column type that we write: ${type}`);
    sliceLowCardinality(cursor, out, from, to);
  }
}

function widthOf(type: string): number {
  if (type.startsWith('DateTime64(')) return 8;
  if (type.startsWith('Enum8(')) return 1;
  return fixedWidths.get(type) ?? 0;
}

/** The dictionary stays whole: entries that no row uses are allowed. */
function sliceLowCardinality(cursor: Cursor, out: Sink, from: number, to: number): void {
  const start = cursor.at;
  cursor.uint64(); // version of the keys
  const width = 1 << (cursor.uint64() & 0xff);
  cursor.skipStrings(cursor.uint64());
  out.raw(cursor.bytes, start, cursor.at);
  const rows = cursor.uint64();
  out.uint64(to - from);
  out.raw(cursor.bytes, cursor.at + from * width, cursor.at + to * width);
  cursor.at += rows * width;
}

class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.at]!;
      this.at += 1;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    return value;
  }

  /** A little-endian UInt64 whose upper half is zero. */
  uint64(): number {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8);
    this.at += 8;
    return view.getUint32(0, true);
  }

  string(): string {
    const length = this.varint();
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }

  skipStrings(count: number): void {
    for (let index = 0; index < count; index += 1) {
      const length = this.varint();
      this.at += length;
    }
  }
}
