/**
 * @hot Bytes being written, front to back, into memory of a fixed size.
 *
 * `at ≤ bytes.length` always holds: every write claims its room first, and a write without room
 * throws `BufferFull` before it changes anything. Whoever fills a sink computes an upper bound of
 * what it will write beforehand, so that the throw means a programmer error.
 */
export class Sink {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Reserves `count` bytes and returns where they begin. */
  claim(count: number): number {
    const at = this.at;
    if (at + count > this.bytes.length) throw bufferFull;
    this.at = at + count;
    return at;
  }

  /** LEB128, as ClickHouse writes counts and lengths; `value` is below 2^32. */
  varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      const at = this.claim(1);
      this.bytes[at] = (rest & 127) | 128;
      rest >>>= 7;
    }
    const last = this.claim(1);
    this.bytes[last] = rest;
  }

  /** A little-endian UInt64 below 2^32. */
  uint64(value: number): void {
    const at = this.claim(8);
    const bytes = this.bytes;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    bytes.fill(0, at + 4, at + 8);
  }

  /** A String of ASCII characters: its length, then its bytes. */
  ascii(text: string): void {
    const length = text.length;
    this.varint(length);
    const at = this.claim(length);
    for (let index = 0; index < length; index += 1) this.bytes[at + index] = text.charCodeAt(index);
  }

  /** The bytes `source[from, to)`. */
  raw(source: Uint8Array, from: number, to: number): void {
    const at = this.claim(to - from);
    this.bytes.set(source.subarray(from, to), at);
  }

  zeros(count: number): void {
    const at = this.claim(count);
    this.bytes.fill(0, at, at + count);
  }
}

/** Thrown, always the same object, when a sink has no room. */
export class BufferFull extends Error {}

const bufferFull = new BufferFull('the sink is full');
