/**
 * One record: a header of 32 bytes, the payload as the worker made it, and zeros up to the next
 * multiple of 8. Little-endian:
 *
 *    0  "rec1"                   4 bytes, found again after damage
 *    4  kind                     u8, see `RecordKind`
 *    5  zeros                    3 bytes
 *    8  rows                     u32
 *   12  payload length           u32
 *   16  segment name at          u32, offset in the payload, 0xFFFFFFFF when it has none
 *   20  group start              u32, where in the file the record's group begins
 *   24  CRC-32C of the payload   u32, continues from the segment header's checksum
 *   28  CRC-32C of bytes 0…27    u32, continues from that XOR the record's place in the file
 *   32  payload
 *
 * So a record counts only where it was written: not in another segment, and not as a copy
 * elsewhere. The header has a checksum of its own: when only the payload is damaged, the next
 * record is known, and so are the kind and rows of what was lost. Everything before `group start`
 * was durable when the record was written, so a hole there is damage and not the torn end of a
 * crash.
 */
import type { Crc32c } from './crc32c-tables.js';

export const RecordKind = { telemetry: 1, attributes: 2, rejected: 3 } as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];
export const recordKindMax = 3;

export const recordKindNames: Readonly<Record<RecordKind, string>> = Object.freeze({
  [RecordKind.telemetry]: 'telemetry',
  [RecordKind.attributes]: 'attributes',
  [RecordKind.rejected]: 'rejected',
});

/**
 * What a caller hands in. `bytes` belongs to the journal until `onDurable` is called, and the
 * segment name is written into it.
 */
export interface JournalRecord {
  readonly kind: RecordKind;
  readonly rows: number;
  readonly bytes: Uint8Array;
  /** Where in `bytes` the 20 characters of the segment name go; -1 when it has none. */
  readonly segmentNameAt: number;
}

export interface RecordHeader {
  readonly kind: RecordKind;
  readonly rows: number;
  readonly payloadBytes: number;
  /** -1 when the payload does not name its segment. */
  readonly segmentNameAt: number;
  readonly groupStart: number;
  readonly payloadChecksum: number;
}

export const recordHeaderBytes = 32;
export const recordAlignment = 8;
/** "rec1" as a little-endian number. */
export const recordMagic = 0x31636572;
const checksumAt = 28;
const noName = 0xffffffff;

/** Bytes of a whole record in the file. */
export function recordBytes(payloadBytes: number): number {
  return recordHeaderBytes + payloadBytes + paddingBytes(payloadBytes);
}

export function paddingBytes(payloadBytes: number): number {
  return -payloadBytes & (recordAlignment - 1);
}

/**
 * Writes the 32 bytes at `at` of `bytes`, which `view` covers from its first byte. `place` is where
 * in its file the record begins, `seed` the checksum of its segment's header.
 */
export function writeRecordHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  header: RecordHeader,
  place: number,
  seed: number,
  crc32c: Crc32c,
): void {
  view.setUint32(at, recordMagic, true);
  view.setUint32(at + 4, header.kind, true);
  view.setUint32(at + 8, header.rows, true);
  view.setUint32(at + 12, header.payloadBytes, true);
  view.setUint32(at + 16, header.segmentNameAt < 0 ? noName : header.segmentNameAt, true);
  view.setUint32(at + 20, header.groupStart, true);
  view.setUint32(at + 24, header.payloadChecksum, true);
  view.setUint32(at + checksumAt, crc32c(seed ^ place, bytes, at, at + checksumAt), true);
}

/** Undefined when the 32 bytes at `at` are not a header written for `place` in this segment. */
export function readRecordHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  place: number,
  seed: number,
  crc32c: Crc32c,
): RecordHeader | undefined {
  if (view.getUint32(at, true) !== recordMagic) return undefined;
  const checksum = view.getUint32(at + checksumAt, true);
  if (crc32c(seed ^ place, bytes, at, at + checksumAt) !== checksum) return undefined;
  const kind = view.getUint32(at + 4, true);
  if (kind < 1 || kind > recordKindMax) return undefined;
  const nameAt = view.getUint32(at + 16, true);
  return {
    kind: kind as RecordKind,
    rows: view.getUint32(at + 8, true),
    payloadBytes: view.getUint32(at + 12, true),
    segmentNameAt: nameAt === noName ? -1 : nameAt,
    groupStart: view.getUint32(at + 20, true),
    payloadChecksum: view.getUint32(at + 24, true),
  };
}
