import assert from 'node:assert/strict';

/**
 * Reads Native blocks in tests, written from the format's description and not from our encoder.
 * Where it matters whether ClickHouse itself agrees, `test/unit/block` asks chDB instead.
 */
export interface NativeBlock {
  readonly rows: number;
  readonly names: string[];
  readonly types: string[];
  /** Column by name; see `readColumn` for the shapes. */
  readonly columns: Map<string, NativeColumn>;
}

export type NativeColumn =
  | { readonly kind: 'bytes'; readonly width: number; readonly bytes: Uint8Array }
  | { readonly kind: 'strings'; readonly values: Uint8Array[] }
  | { readonly kind: 'indexes'; readonly entries: Uint8Array[]; readonly indexes: number[] };

const widths: ReadonlyMap<string, number> = new Map([
  ['UUID', 16],
  ['Float64', 8],
  ['Int64', 8],
]);

export function readNativeBlock(bytes: Uint8Array): NativeBlock {
  const reader = new Reader(bytes);
  const count = reader.varint();
  const rows = reader.varint();
  const names: string[] = [];
  const types: string[] = [];
  const columns = new Map<string, NativeColumn>();
  for (let column = 0; column < count; column += 1) {
    const name = Buffer.from(reader.string()).toString();
    const type = Buffer.from(reader.string()).toString();
    names.push(name);
    types.push(type);
    columns.set(name, readColumn(reader, type, rows));
  }
  assert.equal(reader.at, bytes.length, 'nothing behind the last column');
  return { rows, names, types, columns };
}

function readColumn(reader: Reader, type: string, rows: number): NativeColumn {
  const width =
    widths.get(type) ??
    (type.startsWith('DateTime64(') ? 8 : type.startsWith('Enum8(') ? 1 : undefined);
  if (width !== undefined) return { kind: 'bytes', width, bytes: reader.take(rows * width) };
  if (type === 'String') {
    return { kind: 'strings', values: Array.from({ length: rows }, () => reader.string()) };
  }
  assert.equal(type, 'LowCardinality(String)');
  assert.equal(reader.uint64(), 1n);
  const flags = reader.uint64();
  assert.equal(flags & ~0xffn, 0x600n);
  const entries = Array.from({ length: Number(reader.uint64()) }, () => reader.string());
  assert.equal(reader.uint64(), BigInt(rows));
  const indexes: number[] = [];
  for (let row = 0; row < rows; row += 1) indexes.push(reader.number(1 << Number(flags & 0xffn)));
  return { kind: 'indexes', entries, indexes };
}

class Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  take(count: number): Uint8Array {
    assert.ok(this.at + count <= this.bytes.length, 'a column lies within the block');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.number(1);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  number(width: number): number {
    let value = 0;
    this.take(width).forEach((byte, index) => {
      value += byte * 256 ** index;
    });
    return value;
  }

  uint64(): bigint {
    return Buffer.from(this.take(8)).readBigUInt64LE();
  }

  string(): Uint8Array {
    return this.take(this.varint());
  }
}
