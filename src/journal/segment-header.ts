/**
 * The first page of a segment file. Little-endian; 64 bytes are used, the rest of 4,096 is zero:
 *
 *    0  "SLUICEJ\n"              8 bytes
 *    8  format version           u32, 1
 *   12  journal id               u32
 *   16  segment number           u64
 *   24  prepared at              u64, milliseconds since 1970
 *   32  file size                u32
 *   36  salt                     u32, random
 *   40  zeros                    20 bytes
 *   60  CRC-32C of bytes 0…59    u32  = where the checksums of the segment's records start
 *
 * As every record's checksum continues from this one, a record counts only in the segment it was
 * written for: what is left in a recycled file from an earlier segment never does, nor can a device
 * forge one, for it does not know the salt.
 */
import type { Crc32c } from './crc32c-tables.js';

export interface SegmentHeader {
  readonly journalId: number;
  readonly number: number;
  readonly preparedAtMs: number;
  readonly fileBytes: number;
  readonly salt: number;
  /** The header's own checksum. */
  readonly seed: number;
}

const formatVersion = 1;
/** Records start here: the header has a page of its own that no commit ever rewrites. */
export const segmentDataStart = 4096;
const headerBytes = 64;
const checksumAt = 60;
const magic = Buffer.from('SLUICEJ\n', 'latin1');
const twoTo32 = 2 ** 32;

/** The page for a segment, and its checksum. */
export function encodeSegmentHeader(
  header: Omit<SegmentHeader, 'seed'>,
  crc32c: Crc32c,
): { page: Uint8Array; seed: number } {
  const page = new Uint8Array(segmentDataStart);
  const view = new DataView(page.buffer);
  page.set(magic, 0);
  view.setUint32(8, formatVersion, true);
  view.setUint32(12, header.journalId, true);
  setUint64(view, 16, header.number);
  setUint64(view, 24, header.preparedAtMs);
  view.setUint32(32, header.fileBytes, true);
  view.setUint32(36, header.salt, true);
  const seed = crc32c(0, page, 0, checksumAt);
  view.setUint32(checksumAt, seed, true);
  return { page, seed };
}

/** `blank` is a page that was never written; `unreadable` says why. */
export type DecodedHeader =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  | { readonly kind: 'blank' }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** `page` holds what there is of the file's first 64 bytes or more. */
export function decodeSegmentHeader(page: Uint8Array, crc32c: Crc32c): DecodedHeader {
  if (page.byteLength < headerBytes) return unreadable('the file is shorter than its header');
  if (page.every((byte) => byte === 0)) return { kind: 'blank' };
  if (magic.compare(page, 0, magic.length) !== 0) return unreadable('not a journal segment');
  const view = new DataView(page.buffer, page.byteOffset, headerBytes);
  const seed = view.getUint32(checksumAt, true);
  if (crc32c(0, page, 0, checksumAt) !== seed) return unreadable('the header is damaged');
  const version = view.getUint32(8, true);
  if (version !== formatVersion) return unreadable(`format version ${version} is not known`);
  return {
    kind: 'header',
    header: {
      journalId: view.getUint32(12, true),
      number: getUint64(view, 16),
      preparedAtMs: getUint64(view, 24),
      fileBytes: view.getUint32(32, true),
      salt: view.getUint32(36, true),
      seed,
    },
  };
}

function unreadable(reason: string): DecodedHeader {
  return { kind: 'unreadable', reason };
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % twoTo32, true);
  view.setUint32(at + 4, Math.floor(value / twoTo32), true);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * twoTo32;
}
