import type { Crc32c } from './crc32c-tables.js';
import { FileWindow } from './file-window.js';
import type { JournalFile } from './journal-fs.js';
import {
  type RecordHeader,
  readRecordHeader,
  recordAlignment,
  recordBytes,
  recordHeaderBytes,
  recordMagic,
} from './record.js';
import { RecordIndex } from './record-index.js';
import { segmentDataStart } from './segment-header.js';

/** A hole: bytes between valid records, or before the fixed end, that are no valid records. */
export interface Damage {
  readonly from: number;
  readonly to: number;
  /** Records in it whose header is intact and whose payload is not, and the rows they had. */
  readonly records: number;
  readonly rows: number;
  /**
   * True when a later record proves that these bytes were once durable; otherwise they may also be
   * part of the last group before a crash, which nobody got an acknowledgement for.
   */
  acknowledged: boolean;
}

export interface Scan {
  readonly index: RecordIndex;
  readonly damages: Damage[];
  /** Where the last valid record ends, padding included; `segmentDataStart` when there is none. */
  readonly end: number;
  /**
   * Without a fixed end: records behind the last valid one that were begun and are not whole. The
   * torn end of a crash, as a rule; never acknowledged, unless the device lost them later.
   */
  readonly torn: Damage | undefined;
  readonly unreadablePages: number;
}

/**
 * Reads a segment record by record up to `limit`. What does not carry this segment's checksum is
 * skipped in steps of 8 bytes until a record does again.
 *
 *   fixedEnd    all of [data start, limit) should be records, a hole at the end is damage too
 *   otherwise   what follows the last valid record was never acknowledged, or is of earlier use
 *
 * `checkPayloads` off reads headers only, as `inspect` does. Never throws for what it reads.
 */
export async function scanSegment(
  file: JournalFile,
  seed: number,
  limit: number,
  crc32c: Crc32c,
  { fixedEnd, checkPayloads }: { fixedEnd: boolean; checkPayloads: boolean },
): Promise<Scan> {
  const scanner = new Scanner(file, seed, limit, crc32c, checkPayloads);
  await scanner.run();
  if (fixedEnd && scanner.end < limit) scanner.addDamage(scanner.end, limit);
  const { index, damages, end, window } = scanner;
  const torn = fixedEnd ? undefined : scanner.torn();
  return { index, damages, end, torn, unreadablePages: window.unreadablePages };
}

class Scanner {
  readonly #seed: number;
  readonly #limit: number;
  readonly #crc32c: Crc32c;
  readonly #checkPayloads: boolean;
  /** Records since `end` of which only the header is intact. */
  #spoiltRecords: number;
  #spoiltRows: number;
  #spoiltEnd: number;
  readonly window: FileWindow;
  readonly index: RecordIndex;
  readonly damages: Damage[];
  end: number;

  constructor(
    file: JournalFile,
    seed: number,
    limit: number,
    crc32c: Crc32c,
    checkPayloads: boolean,
  ) {
    this.#seed = seed;
    this.#limit = limit;
    this.#crc32c = crc32c;
    this.#checkPayloads = checkPayloads;
    this.#spoiltRecords = 0;
    this.#spoiltRows = 0;
    this.#spoiltEnd = 0;
    this.window = new FileWindow(file, limit);
    this.index = new RecordIndex();
    this.damages = [];
    this.end = segmentDataStart;
  }

  async run(): Promise<void> {
    let at = segmentDataStart;
    while (at + recordHeaderBytes <= this.#limit) {
      if (this.window.available(at) < recordHeaderBytes) {
        await this.window.moveTo(at);
        if (this.window.available(at) < recordHeaderBytes) return; // the file is shorter
      }
      const header = this.#header(at);
      if (header === undefined) {
        at = this.#nextCandidate(at + recordAlignment);
      } else if (await this.#payloadValid(at, header)) {
        this.#accept(at, header);
        at = this.end;
      } else {
        this.#spoiltRecords += 1;
        this.#spoiltRows += header.rows;
        at += recordBytes(header.payloadBytes);
        this.#spoiltEnd = at;
      }
    }
  }

  addDamage(from: number, to: number): void {
    const [records, rows] = [this.#spoiltRecords, this.#spoiltRows];
    this.damages.push({ from, to, records, rows, acknowledged: false });
  }

  torn(): Damage | undefined {
    const [records, rows] = [this.#spoiltRecords, this.#spoiltRows];
    if (records === 0) return undefined;
    return { from: this.end, to: this.#spoiltEnd, records, rows, acknowledged: false };
  }

  #accept(at: number, header: RecordHeader): void {
    if (at > this.end) this.addDamage(this.end, at);
    for (let last = this.damages.length - 1; last >= 0; last -= 1) {
      const damage = this.damages[last];
      if (damage === undefined || damage.acknowledged) break;
      if (damage.from < header.groupStart) damage.acknowledged = true;
    }
    this.index.add(header.kind, at + recordHeaderBytes, header.payloadBytes, header.rows);
    this.end = at + recordBytes(header.payloadBytes);
    this.#spoiltRecords = 0;
    this.#spoiltRows = 0;
  }

  /** The header at `at`, which is in the window, if it is one of this segment and fits into it. */
  #header(at: number): RecordHeader | undefined {
    const { bytes, view, base } = this.window;
    const header = readRecordHeader(bytes, view, at - base, at, this.#seed, this.#crc32c);
    if (header === undefined) return undefined;
    return at + recordBytes(header.payloadBytes) <= this.#limit ? header : undefined;
  }

  /** The next place in the window that may be a header, or the first one behind the window. */
  #nextCandidate(from: number): number {
    const { words, base, length } = this.window;
    const stop = base + length;
    let at = from;
    while (at < stop && words[(at - base) >>> 2] !== recordMagic) at += recordAlignment;
    return at;
  }

  async #payloadValid(at: number, header: RecordHeader): Promise<boolean> {
    if (!this.#checkPayloads) return true;
    const { window } = this;
    const end = at + recordHeaderBytes + header.payloadBytes;
    let checksum = this.#seed;
    let from = at + recordHeaderBytes;
    while (from < end) {
      if (window.available(from) === 0) {
        await window.moveTo(from);
        if (window.available(from) === 0) return false; // the file is shorter
      }
      const until = Math.min(end, window.base + window.length);
      checksum = this.#crc32c(checksum, window.bytes, from - window.base, until - window.base);
      from = until;
    }
    return checksum === header.payloadChecksum;
  }
}
