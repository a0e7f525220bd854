import { type RecordKind, recordKindMax } from './record.js';

const initialRecords = 64;

/**
 * Where the valid records of one segment lie, as parallel arrays: a segment of tiny records has
 * some hundred thousand. Made when a segment is taken for shipping and dropped with it.
 */
export class RecordIndex {
  #kinds: Uint8Array;
  #payloadAt: Uint32Array;
  #payloadBytes: Uint32Array;
  #rows: Uint32Array;
  readonly #totals: { records: number; rows: number; bytes: number }[];
  length: number;

  constructor() {
    this.#kinds = new Uint8Array(initialRecords);
    this.#payloadAt = new Uint32Array(initialRecords);
    this.#payloadBytes = new Uint32Array(initialRecords);
    this.#rows = new Uint32Array(initialRecords);
    this.#totals = Array.from({ length: recordKindMax + 1 }, () => ({
      records: 0,
      rows: 0,
      bytes: 0,
    }));
    this.length = 0;
  }

  add(kind: RecordKind, payloadAt: number, payloadBytes: number, rows: number): void {
    if (this.length === this.#kinds.length) this.#grow();
    const at = this.length;
    this.#kinds[at] = kind;
    this.#payloadAt[at] = payloadAt;
    this.#payloadBytes[at] = payloadBytes;
    this.#rows[at] = rows;
    this.length += 1;
    const totals = this.total(kind);
    totals.records += 1;
    totals.rows += rows;
    totals.bytes += payloadBytes;
  }

  total(kind: RecordKind): { records: number; rows: number; bytes: number } {
    return this.#totals[kind]!;
  }

  kind(at: number): number {
    return this.#kinds[at]!;
  }

  payloadAt(at: number): number {
    return this.#payloadAt[at]!;
  }

  payloadBytes(at: number): number {
    return this.#payloadBytes[at]!;
  }

  rows(at: number): number {
    return this.#rows[at]!;
  }

  #grow(): void {
    const size = this.#kinds.length * 2;
    const wider = (old: Uint32Array): Uint32Array => {
      const array = new Uint32Array(size);
      array.set(old);
      return array;
    };
    const kinds = new Uint8Array(size);
    kinds.set(this.#kinds);
    this.#kinds = kinds;
    this.#payloadAt = wider(this.#payloadAt);
    this.#payloadBytes = wider(this.#payloadBytes);
    this.#rows = wider(this.#rows);
  }
}
