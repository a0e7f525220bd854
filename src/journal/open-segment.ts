import { assert } from '../core/assert.js';
import type { JournalFile } from './journal-fs.js';
import { segmentDataStart } from './segment-header.js';
import { segmentNameBytes } from './segment-name.js';

/**
 * The segment that is being written.
 *
 *   0        4,096                durableEnd      placedEnd        fileBytes
 *   │ header │ records, all synced │ the group(s)   │ zeros or stale │
 *   └────────┴─────────────────────┴ under way ─────┴────────────────┘
 *
 * Invariant: segmentDataStart ≤ durableEnd ≤ placedEnd ≤ fileBytes. Only what lies before
 * `durableEnd` was ever acknowledged; the segment is sealed there, whatever happened behind it.
 */
export class OpenSegment {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly journalId: number;
  readonly number: number;
  readonly path: string;
  readonly file: JournalFile;
  readonly fileBytes: number;
  readonly preparedAtMs: number;
  /** Where the checksums of its records start. */
  readonly seed: number;
  placedEnd: number;
  placedRows: number;
  durableEnd: number;
  /** Monotonic time of the first and the last append that became durable; -1 before. */
  firstDurableAt: number;
  lastDurableAt: number;
  /** Wall-clock time of the first one. */
  firstDurableMs: number;
  /** A write failed: nothing more is written to this file, and it is not recycled. */
  failed: boolean;

  constructor(
    identity: Pick<OpenSegment, 'name' | 'journalId' | 'number' | 'preparedAtMs' | 'seed'>,
    path: string,
    file: JournalFile,
    fileBytes: number,
  ) {
    assert(identity.name.length === segmentNameBytes, 'a segment name has 20 characters');
    this.name = identity.name;
    this.nameBytes = Buffer.from(identity.name, 'latin1');
    this.journalId = identity.journalId;
    this.number = identity.number;
    this.path = path;
    this.file = file;
    this.fileBytes = fileBytes;
    this.preparedAtMs = identity.preparedAtMs;
    this.seed = identity.seed;
    this.placedEnd = segmentDataStart;
    this.placedRows = 0;
    this.durableEnd = segmentDataStart;
    this.firstDurableAt = -1;
    this.lastDurableAt = -1;
    this.firstDurableMs = 0;
    this.failed = false;
  }

  get hasRecords(): boolean {
    return this.durableEnd > segmentDataStart;
  }

  /** True when `bytes` of records with `rows` rows may follow what is placed. */
  fits(bytes: number, rows: number, rowsMax: number): boolean {
    if (this.failed || this.placedEnd + bytes > this.fileBytes) return false;
    return this.placedRows === 0 || this.placedRows + rows <= rowsMax;
  }

  /** The records up to `end` are on the device. */
  becameDurable(end: number, monotonic: number, nowMs: number): void {
    assert(end >= this.durableEnd && end <= this.placedEnd, 'durable follows placed');
    if (this.firstDurableAt < 0) {
      this.firstDurableAt = monotonic;
      this.firstDurableMs = nowMs;
    }
    this.lastDurableAt = monotonic;
    this.durableEnd = end;
  }
}
