import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { messageOf, NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { JournalFile } from './journal-fs.js';
import type { JournalOptions } from './options.js';
import type { Quarantine } from './quarantine.js';
import { scanSegment } from './scan.js';
import type { SealedFile } from './sealed-file.js';
import { type DecodedHeader, decodeSegmentHeader, segmentDataStart } from './segment-header.js';
import {
  parseSegmentFile,
  quarantineFolder,
  type SegmentFileName,
  segmentFile,
} from './segment-name.js';

/** What a journal directory holds, and what is to become of each file. */
export interface Recovered {
  /** Ends are fixed: to be shipped. */
  readonly sealed: SealedFile[];
  /** Were being written when the node stopped: to be sealed where their valid records end. */
  readonly unsealed: { readonly path: string; readonly target: SealedFile }[];
  /** Nothing in them counts: to be recycled or removed. */
  readonly unused: { readonly name: string; readonly path: string; readonly fileBytes: number }[];
  /** Zeros that were not finished: to be removed. */
  readonly unfinished: { readonly path: string; readonly fileBytes: number }[];
  readonly usedBytes: number;
  readonly highestNumber: number;
}

interface Found extends SegmentFileName {
  readonly file: string;
  readonly path: string;
}

const zeroRunBytes = 1024 * 1024;

/**
 * Looks at every file of the directory. Sealed ones are only opened (their records are read when
 * they are shipped, so a start does not take longer with a longer journal); open ones are scanned
 * for their end. Rejects only when the directory itself cannot be read.
 *
 *   name      header                        what it was
 *   .new      –                             zeros being written             removed
 *   .free     –                             between two uses                kept for later
 *   .open     blank or of another segment   renamed, never written          kept for later
 *   .open     its own                       being written                   sealed at its last one
 *   .open     damaged                       unknown                         quarantined whole
 *   .sealed   (checked when it is taken)    to be shipped                   offered in order
 */
export async function recoverDirectory(
  clock: Clock,
  logger: Logger,
  options: JournalOptions,
  quarantine: Quarantine,
): Promise<Recovered> {
  const recovery = new Recovery(clock, options, quarantine);
  for (const found of await segmentFiles(logger, options)) {
    try {
      await recovery.classify(found);
    } catch (thrown) {
      logger.error('journal_file_unusable', { file: found.path, error: String(thrown) });
    }
  }
  return recovery;
}

async function segmentFiles(logger: Logger, options: JournalOptions): Promise<Found[]> {
  const { fs, directory } = options;
  let names: string[];
  try {
    await fs.makeDirectory(directory);
    names = await fs.list(directory);
  } catch (thrown) {
    const message = `cannot open the journal in ${directory}: ${messageOf(thrown)}`;
    const remedy = 'Give the node the right to write there, or use another --data-dir.';
    throw new NodeError('SLUICE_DATA_UNUSABLE', message, remedy, thrown);
  }
  const files: Found[] = [];
  for (const file of names) {
    const parsed = parseSegmentFile(file);
    if (parsed !== undefined) files.push({ ...parsed, file, path: join(directory, file) });
    else if (file !== quarantineFolder) logger.warn('journal_file_unknown', { file });
  }
  // Sealed before open: of two files of one name, which only a hand can have made, the sealed
  // counts.
  const rank = ({ state }: Found): number => (state === 'sealed' ? 0 : 1);
  return files.sort((a, b) => a.number - b.number || rank(a) - rank(b));
}

class Recovery implements Recovered {
  readonly #clock: Clock;
  readonly #options: JournalOptions;
  readonly #quarantine: Quarantine;
  /** The segment whose records were found last. */
  #lastName: string;
  readonly sealed: SealedFile[];
  readonly unsealed: { path: string; target: SealedFile }[];
  readonly unused: { name: string; path: string; fileBytes: number }[];
  readonly unfinished: { path: string; fileBytes: number }[];
  usedBytes: number;
  highestNumber: number;

  constructor(clock: Clock, options: JournalOptions, quarantine: Quarantine) {
    this.#clock = clock;
    this.#options = options;
    this.#quarantine = quarantine;
    this.#lastName = '';
    this.sealed = [];
    this.unsealed = [];
    this.unused = [];
    this.unfinished = [];
    this.usedBytes = 0;
    this.highestNumber = 0;
  }

  async classify(found: Found): Promise<void> {
    const { name, path } = found;
    this.highestNumber = Math.max(this.highestNumber, found.number);
    const file = await this.#options.fs.open(path, 'read');
    try {
      const fileBytes = await file.size();
      this.usedBytes += fileBytes;
      if (found.state === 'new') {
        this.unfinished.push({ path, fileBytes });
      } else if (found.state === 'free') {
        this.unused.push({ name, path, fileBytes });
      } else if (this.#lastName === name) {
        await this.#setAside(found, fileBytes, 'the segment has a second file');
      } else if (found.state === 'sealed') {
        // Whether it can be read matters when it is taken, and may be different by then.
        const header = await this.#header(file).catch(() => undefined);
        this.sealed.push(this.#sealedFile(found, path, found.end, fileBytes, header));
        this.#lastName = name;
      } else {
        await this.#classifyOpen(found, fileBytes, file);
      }
    } finally {
      await file.close();
    }
  }

  async #classifyOpen(found: Found, fileBytes: number, file: JournalFile): Promise<void> {
    const { name, path } = found;
    const header = await this.#header(file);
    const unreadable = header.kind === 'unreadable';
    if (unreadable || (header.kind === 'blank' && !(await isZero(file)))) {
      const problem = unreadable ? header.reason : 'the header is empty';
      await this.#setAside(found, fileBytes, problem);
      return;
    }
    const end = await this.#endOf(found, fileBytes, file, header);
    if (end === segmentDataStart) {
      this.unused.push({ name, path, fileBytes });
      return;
    }
    const target = join(this.#options.directory, segmentFile(name, 'sealed', end));
    this.unsealed.push({ path, target: this.#sealedFile(found, target, end, fileBytes, header) });
    this.#lastName = name;
  }

  /** Where the valid records of an open segment end. */
  async #endOf(
    found: Found,
    fileBytes: number,
    file: JournalFile,
    header: DecodedHeader,
  ): Promise<number> {
    if (header.kind !== 'header') return segmentDataStart;
    const { journalId, number, seed } = header.header;
    if (journalId !== found.journalId || number !== found.number) return segmentDataStart;
    const checks = { fixedEnd: false, checkPayloads: true };
    const scan = await scanSegment(file, seed, fileBytes, this.#options.crc32c, checks);
    const { torn } = scan;
    if (torn !== undefined) await this.#quarantine.keepHole('torn', file, found.name, torn);
    return scan.end;
  }

  async #header(file: JournalFile): Promise<DecodedHeader> {
    const page = new Uint8Array(segmentDataStart);
    const length = await file.read(page, 0);
    return decodeSegmentHeader(page.subarray(0, length), this.#options.crc32c);
  }

  #sealedFile(
    found: Found,
    path: string,
    end: number,
    fileBytes: number,
    header: DecodedHeader | undefined,
  ): SealedFile {
    const { name, journalId, number } = found;
    const sinceMs = header?.kind === 'header' ? header.header.preparedAtMs : this.#clock.now();
    const fixed = { name, journalId, number, path, end, fileBytes, sinceMs };
    return { ...fixed, recovered: true, recyclable: true };
  }

  async #setAside(found: Found, fileBytes: number, problem: string): Promise<void> {
    const about = { segment: found.name, problem };
    const kept = await this.#quarantine.keepFile(found.path, `${found.file}.damaged`, about);
    if (kept) this.usedBytes -= fileBytes;
  }
}

async function isZero(file: JournalFile): Promise<boolean> {
  const bytes = Buffer.alloc(zeroRunBytes);
  for (let at = 0; ; at += bytes.byteLength) {
    const length = await file.read(bytes, at);
    if (!bytes.subarray(0, length).every((byte) => byte === 0)) return false;
    if (length < bytes.byteLength) return true;
  }
}
