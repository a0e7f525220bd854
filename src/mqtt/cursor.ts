import { isUtf8 } from 'node:buffer';

/**
 * Reads the fields of one complete packet and never past its end. A field that is not there or not
 * well-formed sets `failed`, and everything read after that is 0 or undefined: the caller checks
 * once at the end of a group of fields.
 */
export class Cursor {
  readonly #bytes: Buffer;
  /** Next byte to read; `at ≤ end` always. */
  at: number;
  readonly end: number;
  failed: boolean;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
    this.failed = false;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    const at = this.#skip(1);
    return at < 0 ? 0 : (this.#bytes[at] ?? 0);
  }

  uint16(): number {
    const at = this.#skip(2);
    return at < 0 ? 0 : this.#bytes.readUInt16BE(at);
  }

  uint32(): number {
    const at = this.#skip(4);
    return at < 0 ? 0 : this.#bytes.readUInt32BE(at);
  }

  /** A variable byte integer: at most four bytes, and no more than it needs [MQTT-1.5.5-1]. */
  variableInteger(): number {
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte === 0 && shift > 0) this.failed = true;
      if ((byte & 0x80) === 0) return value;
    }
    this.failed = true;
    return 0;
  }

  /** Skips `length` bytes of any content. */
  skip(length: number): void {
    this.#skip(length);
  }

  /** A length and that many bytes: the range of the content, or an empty one at failure. */
  binary(): { readonly from: number; readonly to: number } {
    const length = this.uint16();
    const from = this.#skip(length);
    return from < 0 ? { from: this.at, to: this.at } : { from, to: from + length };
  }

  /**
   * A UTF-8 encoded string: well-formed, without surrogates [MQTT-1.5.4-1] (`isUtf8` knows them)
   * and without U+0000 [MQTT-1.5.4-2].
   */
  string(): { readonly from: number; readonly to: number } {
    const range = this.binary();
    const text = this.#bytes.subarray(range.from, range.to);
    if (!isUtf8(text) || text.includes(0)) this.failed = true;
    return range;
  }

  /** A topic name: a string of at least one byte without wildcards [MQTT-3.3.2-2]. */
  topicName(emptyAllowed: boolean): void {
    const { from, to } = this.string();
    if (from === to && !emptyAllowed) this.failed = true;
    for (let at = from; at < to; at++) {
      const byte = this.#bytes[at];
      if (byte === 0x23 || byte === 0x2b) this.failed = true;
    }
  }

  #skip(length: number): number {
    const at = this.at;
    if (this.failed || at + length > this.end) {
      this.failed = true;
      return -1;
    }
    this.at = at + length;
    return at;
  }
}

/** True when `text` holds a control character: it has no place in an identity, nor in a log. */
export function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}
