import { assert } from '../core/assert.js';
import type { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type { Crc32c } from './crc32c-tables.js';
import type { OpenSegment } from './open-segment.js';
import {
  type JournalRecord,
  paddingBytes,
  recordAlignment,
  recordBytes,
  recordHeaderBytes,
  writeRecordHeader,
} from './record.js';
import { segmentNameBytes } from './segment-name.js';

/** Called once per append: with nothing when the records are durable, else with the reason. */
export type OnDurable = (error: NodeError | undefined) => void;

/** One call of `append`: its records become durable together or are refused together. */
export interface PendingAppend {
  readonly records: readonly JournalRecord[];
  /** In the file, headers and padding included. */
  readonly bytes: number;
  readonly rows: number;
  readonly onDurable: OnDurable;
}

export function pendingAppend(
  records: readonly JournalRecord[],
  onDurable: OnDurable,
): PendingAppend {
  assert(records.length <= limits.commitRecordsMax, 'an append has few records');
  let bytes = 0;
  let rows = 0;
  for (const record of records) {
    assert(record.bytes.byteLength > 0, 'a record has a payload');
    const nameEnd = record.segmentNameAt + segmentNameBytes;
    assert(
      record.segmentNameAt < 0 || nameEnd <= record.bytes.byteLength,
      'the segment name lies inside its record',
    );
    bytes += recordBytes(record.bytes.byteLength);
    rows += record.rows;
  }
  return { records, bytes, rows, onDurable };
}

const scratchPerRecord = recordHeaderBytes + recordAlignment;

/**
 * What one write and sync takes: the records of some appends, one behind the other, as a list of
 * vectors. Payloads stay where they are; headers and padding lie in a scratch buffer:
 *
 *   scratch   [header 1]            [pad 1|header 2]            [pad 2|header 3] …
 *   vectors    └──┬───┘ [payload 1]  └─────┬──────┘ [payload 2]  └─────┬──────┘
 *
 * Invariant: all appends of a group lie in one segment, and `from + bytes` is where the next
 * begins.
 */
export class Group {
  readonly #crc32c: Crc32c;
  readonly #scratch: Uint8Array;
  readonly #view: DataView;
  #used: number;
  /** Scratch bytes from here to `#used` are not in `vectors` yet. */
  #pendingFrom: number;
  #records: number;
  appends: PendingAppend[];
  vectors: Uint8Array[];
  segment: OpenSegment | undefined;
  from: number;
  bytes: number;

  constructor(crc32c: Crc32c) {
    this.#crc32c = crc32c;
    this.#scratch = new Uint8Array(limits.commitRecordsMax * scratchPerRecord);
    this.#view = new DataView(this.#scratch.buffer);
    this.#used = 0;
    this.#pendingFrom = 0;
    this.#records = 0;
    this.appends = [];
    this.vectors = [];
    this.segment = undefined;
    this.from = 0;
    this.bytes = 0;
  }

  clear(): void {
    this.#used = 0;
    this.#pendingFrom = 0;
    this.#records = 0;
    this.appends = [];
    this.vectors = [];
    this.segment = undefined;
    this.from = 0;
    this.bytes = 0;
  }

  /** True when the append may join: a first one always may. */
  hasRoom(append: PendingAppend, bytesMax: number): boolean {
    if (this.#records === 0) return true;
    if (this.bytes + append.bytes > bytesMax) return false;
    return this.#records + append.records.length <= limits.commitRecordsMax;
  }

  /** Joins an append without records: it is settled with the group and writes nothing. */
  placeEmpty(append: PendingAppend): void {
    this.appends.push(append);
  }

  /** Puts the append's records behind what `segment` holds: names, checksums, vectors. */
  place(append: PendingAppend, segment: OpenSegment): void {
    assert(this.segment === undefined || this.segment === segment, 'a group has one segment');
    if (this.segment === undefined) {
      this.segment = segment;
      this.from = segment.placedEnd;
    }
    let place = segment.placedEnd;
    for (const record of append.records) {
      this.#placeRecord(record, segment, place);
      place += recordBytes(record.bytes.byteLength);
    }
    this.appends.push(append);
    this.bytes += append.bytes;
    segment.placedEnd += append.bytes;
    segment.placedRows += append.rows;
  }

  /** The last padding joins the vectors; call once, before writing. */
  finish(): void {
    this.#flushScratch();
  }

  #placeRecord(record: JournalRecord, segment: OpenSegment, place: number): void {
    const { bytes, segmentNameAt } = record;
    const { seed } = segment;
    if (segmentNameAt >= 0) bytes.set(segment.nameBytes, segmentNameAt);
    const header = {
      kind: record.kind,
      rows: record.rows,
      payloadBytes: bytes.byteLength,
      segmentNameAt,
      groupStart: this.from,
      payloadChecksum: this.#crc32c(seed, bytes, 0, bytes.byteLength),
    };
    writeRecordHeader(this.#scratch, this.#view, this.#used, header, place, seed, this.#crc32c);
    this.#used += recordHeaderBytes;
    this.#flushScratch();
    this.vectors.push(bytes);
    const padding = paddingBytes(bytes.byteLength);
    this.#scratch.fill(0, this.#used, this.#used + padding);
    this.#used += padding;
    this.#records += 1;
  }

  #flushScratch(): void {
    if (this.#used === this.#pendingFrom) return;
    this.vectors.push(this.#scratch.subarray(this.#pendingFrom, this.#used));
    this.#pendingFrom = this.#used;
  }
}
