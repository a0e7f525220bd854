import { assert } from '../core/assert.js';
import { NodeError } from '../core/errors.js';
import type { JournalFile } from './journal-fs.js';
import type { JournalOptions } from './options.js';
import type { Quarantine } from './quarantine.js';
import type { RecordKind } from './record.js';
import type { RecordIndex } from './record-index.js';
import { type Scan, scanSegment } from './scan.js';
import type { SealedFile } from './sealed-file.js';
import { decodeSegmentHeader, segmentDataStart } from './segment-header.js';

const pieceBytes = 1024 * 1024;

/**
 * A segment that will not change any more, for whoever ships it. Each reading gives the same bytes:
 * the records were checked when it was taken, and where they lie is fixed.
 *
 * Holds an open file and 13 bytes per record until it is released.
 */
export class ClosedSegment {
  readonly sealed: SealedFile;
  readonly #file: JournalFile;
  readonly #index: RecordIndex;
  /** Holes whose bytes were set aside. */
  readonly damages: number;
  /** True when bytes are lost that the quarantine has no copy of: the file itself is kept then. */
  readonly fileWanted: boolean;

  constructor(
    sealed: SealedFile,
    file: JournalFile,
    index: RecordIndex,
    damages: number,
    fileWanted: boolean,
  ) {
    this.sealed = sealed;
    this.#file = file;
    this.#index = index;
    this.damages = damages;
    this.fileWanted = fileWanted;
  }

  /** 20 characters, the same as in the rows; the deduplication token begins with it. */
  get name(): string {
    return this.sealed.name;
  }

  /** Found at start: an earlier run of the node may have shipped it. */
  get recovered(): boolean {
    return this.sealed.recovered;
  }

  /** Bytes of its records in the file, headers included. */
  get bytes(): number {
    return this.sealed.end - segmentDataStart;
  }

  get recordCount(): number {
    return this.#index.length;
  }

  rows(kind: RecordKind): number {
    return this.#index.total(kind).rows;
  }

  /** How many records of this kind there are. */
  count(kind: RecordKind): number {
    return this.#index.total(kind).records;
  }

  payloadBytes(kind: RecordKind): number {
    return this.#index.total(kind).bytes;
  }

  /**
   * The payloads of the records `[from, to)` of a kind, one Uint8Array each, in the order of their
   * appends. The arrays may share a buffer, which is never written again.
   */
  async *records(
    kind: RecordKind,
    from = 0,
    to = this.count(kind),
  ): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of this.#pieces(kind, from, to)) {
      for (let at = piece.first; at < piece.end; at += 1) {
        if (this.#index.kind(at) !== kind) continue;
        const start = this.#index.payloadAt(at) - piece.base;
        yield piece.bytes.subarray(start, start + this.#index.payloadBytes(at));
      }
    }
  }

  /** The same bytes without the seams: pieces of about 1 MiB, for the body of one INSERT. */
  async *payload(
    kind: RecordKind,
    from = 0,
    to = this.count(kind),
  ): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of this.#pieces(kind, from, to)) {
      let length = 0;
      for (let at = piece.first; at < piece.end; at += 1) {
        if (this.#index.kind(at) !== kind) continue;
        const start = this.#index.payloadAt(at) - piece.base;
        const bytes = this.#index.payloadBytes(at);
        piece.bytes.copyWithin(length, start, start + bytes);
        length += bytes;
      }
      yield piece.bytes.subarray(0, length);
    }
  }

  /** Rows of each record of a kind, in order: what a bisection cuts by. */
  rowsOfRecords(kind: RecordKind): number[] {
    const rows: number[] = [];
    for (let at = 0; at < this.#index.length; at += 1) {
      if (this.#index.kind(at) === kind) rows.push(this.#index.rows(at));
    }
    return rows;
  }

  /** For the journal, when the segment is released. */
  async closeFile(): Promise<void> {
    await this.#file.close();
  }

  /** Reads runs of records that lie within 1 MiB of one another; a larger record is a run alone. */
  async *#pieces(kind: RecordKind, from: number, to: number): AsyncGenerator<Piece, void, void> {
    const index = this.#index;
    let ordinal = 0;
    let first = 0;
    while (first < index.length) {
      if (index.kind(first) !== kind) {
        first += 1;
        continue;
      }
      if (ordinal < from) {
        ordinal += 1;
        first += 1;
        continue;
      }
      if (ordinal >= to) return;
      const base = index.payloadAt(first);
      let length = index.payloadBytes(first);
      let end = first + 1;
      ordinal += 1;
      for (; end < index.length && ordinal < to; end += 1) {
        const reach = index.payloadAt(end) + index.payloadBytes(end) - base;
        if (reach > pieceBytes) break;
        if (index.kind(end) !== kind) continue;
        length = reach;
        ordinal += 1;
      }
      yield { base, first, end, bytes: await this.#read(base, length) };
      first = end;
    }
  }

  async #read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const found = await this.#file.read(bytes, position);
    if (found === length) return bytes;
    const message = `cannot read ${this.sealed.path}: it ends at byte ${position + found}`;
    throw new NodeError('SLUICE_JOURNAL_CORRUPT', message);
  }
}

interface Piece {
  /** Where in the file `bytes` begin. */
  readonly base: number;
  /** The records `[first, end)` of the index lie in it, those of other kinds perhaps not. */
  readonly first: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/**
 * Opens and checks a sealed file. What is damaged goes to the quarantine; undefined when nothing of
 * it can be shipped and the whole file went there. Rejects when the file cannot be opened.
 */
export async function takeSegment(
  { fs, crc32c }: JournalOptions,
  sealed: SealedFile,
  quarantine: Quarantine,
): Promise<ClosedSegment | undefined> {
  const file = await fs.open(sealed.path, 'read');
  try {
    const page = new Uint8Array(segmentDataStart);
    const found = await file.read(page, 0);
    const decoded = decodeSegmentHeader(page.subarray(0, found), crc32c);
    const problem = headerProblem(decoded, sealed);
    if (decoded.kind !== 'header' || problem !== undefined) {
      await file.close();
      const about = { segment: sealed.name, problem };
      await quarantine.keepFile(sealed.path, `${sealed.name}.segment`, about);
      return undefined;
    }
    const options = { fixedEnd: true, checkPayloads: true };
    const scan = await scanSegment(file, decoded.header.seed, sealed.end, crc32c, options);
    const kept = await keepDamages(file, sealed, scan, quarantine);
    const fileWanted = !kept || scan.unreadablePages > 0;
    assert(scan.end <= sealed.end, 'no record reaches beyond the sealed end');
    return new ClosedSegment(sealed, file, scan.index, scan.damages.length, fileWanted);
  } catch (thrown) {
    await file.close().catch(() => {}); // the first error is the one to tell
    throw thrown;
  }
}

function headerProblem(
  decoded: ReturnType<typeof decodeSegmentHeader>,
  sealed: SealedFile,
): string | undefined {
  if (decoded.kind === 'blank') return 'the header is empty';
  if (decoded.kind === 'unreadable') return decoded.reason;
  const { journalId, number } = decoded.header;
  if (journalId === sealed.journalId && number === sealed.number) return undefined;
  return 'the header is another segment’s';
}

async function keepDamages(
  file: JournalFile,
  sealed: SealedFile,
  scan: Scan,
  quarantine: Quarantine,
): Promise<boolean> {
  let kept = true;
  for (const hole of scan.damages) {
    if (!(await quarantine.keepHole('damaged', file, sealed.name, hole))) kept = false;
  }
  return kept;
}
