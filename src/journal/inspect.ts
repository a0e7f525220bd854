/**
 * What lies in a journal directory, for `sluice journal inspect` and `verify`. Reads only, and may
 * run beside a node: a file that changes its name or is written again meanwhile is looked at once
 * more.
 */
import { join } from 'node:path';
import { NodeError } from '../core/errors.js';
import { createCrc32c } from './crc32c.js';
import type { Crc32c } from './crc32c-tables.js';
import { errorCodeOf, type JournalFile, type JournalFs } from './journal-fs.js';
import { nodeFs } from './node-fs.js';
import { RecordKind, recordKindNames } from './record.js';
import { type Damage, type Scan, scanSegment } from './scan.js';
import { decodeSegmentHeader, segmentDataStart } from './segment-header.js';
import { parseSegmentFile, quarantineFolder, type SegmentFileName } from './segment-name.js';

export interface KindReport {
  readonly kind: string;
  readonly records: number;
  readonly rows: number;
  /** Payload bytes. */
  readonly bytes: number;
}

export interface SegmentReport {
  readonly file: string;
  readonly segment: string;
  readonly state: SegmentFileName['state'];
  readonly fileBytes: number;
  /** From the first record to the end of the last, headers included. */
  readonly bytes: number;
  readonly kinds: readonly KindReport[];
  readonly damages: readonly Damage[];
  /** Why its records cannot be read; undefined when they can, or when there are none. */
  readonly problem: string | undefined;
}

export interface JournalReport {
  readonly directory: string;
  readonly segments: readonly SegmentReport[];
  /** Files that are not the journal's. */
  readonly unknownFiles: readonly string[];
  readonly quarantine: readonly { readonly file: string; readonly bytes: number }[];
  /** Sums over the segments that are not stored yet. */
  readonly unshippedBytes: number;
  readonly unshippedRows: number;
  /** False when a record or a header is damaged. */
  readonly sound: boolean;
}

/** A file was renamed or written again while it was read; undefined means "look again". */
type Look = SegmentReport | undefined;

const looksMax = 5;
const kinds = Object.values(RecordKind);

/** Reads the record headers. Rejects with SLUICE_DATA_UNUSABLE when there is no such directory. */
export function inspectJournal(directory: string, fs: JournalFs = nodeFs): Promise<JournalReport> {
  return report(directory, fs, false);
}

/** Reads and checks every byte of every record as well. */
export function verifyJournal(directory: string, fs: JournalFs = nodeFs): Promise<JournalReport> {
  return report(directory, fs, true);
}

async function report(
  directory: string,
  fs: JournalFs,
  checkPayloads: boolean,
): Promise<JournalReport> {
  const crc32c = createCrc32c();
  const segments = new Map<string, SegmentReport>();
  let unknownFiles: string[] = [];
  for (let looks = 0; looks < looksMax; looks += 1) {
    unknownFiles = [];
    let vanished = false;
    for (const file of await list(fs, directory)) {
      const name = parseSegmentFile(file);
      if (name === undefined) {
        if (file !== quarantineFolder) unknownFiles.push(file);
      } else if (!segments.has(name.name)) {
        const path = join(directory, file);
        const found = await look(fs, path, file, name, crc32c, checkPayloads);
        if (found === undefined) vanished = true;
        else segments.set(name.name, found);
      }
    }
    if (!vanished) break;
  }
  const quarantine = await quarantined(fs, join(directory, quarantineFolder));
  return { directory, ...summary([...segments.values()]), unknownFiles, quarantine };
}

function summary(segments: SegmentReport[]) {
  segments.sort((a, b) => (a.segment.slice(9) < b.segment.slice(9) ? -1 : 1));
  let unshippedBytes = 0;
  let unshippedRows = 0;
  for (const { bytes, kinds: found } of segments) {
    unshippedBytes += bytes;
    for (const { rows } of found) unshippedRows += rows;
  }
  const sound = segments.every(
    ({ damages, problem }) => damages.length === 0 && problem === undefined,
  );
  return { segments, unshippedBytes, unshippedRows, sound };
}

async function list(fs: JournalFs, directory: string): Promise<string[]> {
  try {
    return await fs.list(directory);
  } catch (thrown) {
    const message = `cannot read the journal in ${directory}: ${String(thrown)}`;
    throw new NodeError('SLUICE_DATA_UNUSABLE', message, 'Check --data-dir.', thrown);
  }
}

async function look(
  fs: JournalFs,
  path: string,
  file: string,
  name: SegmentFileName,
  crc32c: Crc32c,
  checkPayloads: boolean,
): Promise<Look> {
  let opened: JournalFile;
  try {
    opened = await fs.open(path, 'read');
  } catch (thrown) {
    if (errorCodeOf(thrown) === 'ENOENT') return undefined;
    return { ...empty(file, name, 0), problem: String(thrown) };
  }
  try {
    return await read(opened, file, name, crc32c, checkPayloads);
  } catch (thrown) {
    return { ...empty(file, name, 0), problem: String(thrown) };
  } finally {
    await opened.close();
  }
}

async function read(
  opened: JournalFile,
  file: string,
  name: SegmentFileName,
  crc32c: Crc32c,
  checkPayloads: boolean,
): Promise<Look> {
  const fileBytes = await opened.size();
  const nothing = empty(file, name, fileBytes);
  if (name.state === 'new' || name.state === 'free') return nothing;
  const before = await header(opened, crc32c);
  const sealed = name.state === 'sealed';
  if (before.kind === 'unreadable') return { ...nothing, problem: before.reason };
  const own = before.kind === 'header' && before.header.number === name.number;
  if (!own || before.header.journalId !== name.journalId) {
    return sealed ? { ...nothing, problem: 'the header is another segment’s' } : nothing;
  }
  const { seed } = before.header;
  const limit = sealed ? name.end : fileBytes;
  const options = { fixedEnd: sealed, checkPayloads };
  const scan = await scanSegment(opened, seed, limit, crc32c, options);
  // What looks damaged while a node writes may just have been written.
  const again =
    scan.damages.length > 0 && !sealed
      ? await scanSegment(opened, seed, limit, crc32c, options)
      : scan;
  const after = await header(opened, crc32c);
  if (after.kind !== 'header' || after.header.seed !== seed) return undefined;
  const lasting = again.damages.filter(({ from }) => scan.damages.some((d) => d.from === from));
  const bytes = again.end - segmentDataStart;
  return { ...nothing, bytes, kinds: kindReports(again), damages: lasting };
}

async function header(opened: JournalFile, crc32c: Crc32c) {
  const page = new Uint8Array(segmentDataStart);
  const length = await opened.read(page, 0);
  return decodeSegmentHeader(page.subarray(0, length), crc32c);
}

function empty(file: string, name: SegmentFileName, fileBytes: number): SegmentReport {
  const { name: segment, state } = name;
  return { file, segment, state, fileBytes, bytes: 0, kinds: [], damages: [], problem: undefined };
}

function kindReports({ index }: Scan): KindReport[] {
  return kinds.map((kind) => ({ kind: recordKindNames[kind], ...index.total(kind) }));
}

async function quarantined(
  fs: JournalFs,
  path: string,
): Promise<{ file: string; bytes: number }[]> {
  const found: { file: string; bytes: number }[] = [];
  try {
    for (const file of (await fs.list(path)).sort()) {
      const opened = await fs.open(join(path, file), 'read');
      found.push({ file, bytes: await opened.size() });
      await opened.close();
    }
  } catch (thrown) {
    if (errorCodeOf(thrown) !== 'ENOENT') throw thrown;
  }
  return found;
}
