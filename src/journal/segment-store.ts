import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '../core/assert.js';
import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import { journalError } from './availability.js';
import type { Chores } from './chores.js';
import type { SegmentSource } from './commit.js';
import { DirectorySync } from './directory-sync.js';
import type { DiskSpace } from './disk-space.js';
import { errorCodeOf, type JournalFile } from './journal-fs.js';
import { OpenSegment } from './open-segment.js';
import type { JournalOptions } from './options.js';
import { preallocate } from './preallocate.js';
import type { SealedFile } from './sealed-file.js';
import { encodeSegmentHeader, segmentDataStart } from './segment-header.js';
import { segmentFile, segmentName } from './segment-name.js';

const pageBytes = 4096;

/**
 * The journal's files and their changes of state. Every change is a rename followed by a sync of
 * the directory, and nobody relies on it before that sync:
 *
 *   n.new ──► n.open ──seal──► n.end.sealed ──release──► n.free ──► m.open …
 *   (zeros)     │ (spare, then current)                    │ more than freeSegmentsMax, or failed
 *               └──nothing durable in it──► n.free         └──► removed
 *
 * Invariants: a name `open` is durable before its header is written, so an old header under a new
 * name means "never used"; a name `sealed` is durable before the segment can be shipped; a number
 * is given once, and with it goes a journal id drawn at each start, so that a name never comes
 * again even when the directory was put back to an older state.
 */
export class SegmentStore implements SegmentSource {
  readonly #clock: Clock;
  readonly #options: JournalOptions;
  readonly #space: DiskSpace;
  readonly #chores: Chores;
  readonly #onSealed: (file: SealedFile) => void;
  readonly #directory: DirectorySync;
  readonly #journalId: number;
  /** Paths of files of `segmentBytes` whose content has no meaning. */
  readonly #free: string[];
  /** Files on their way into `#free`. */
  #freeing: number;
  #nextNumber: number;
  #spare: OpenSegment | undefined;
  /** One preparation after the other: they compete for free files and for the disk. */
  #preparing: Promise<unknown> | undefined;

  constructor(
    clock: Clock,
    options: JournalOptions,
    space: DiskSpace,
    chores: Chores,
    firstNumber: number,
    onSealed: (file: SealedFile) => void,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#space = space;
    this.#chores = chores;
    this.#onSealed = onSealed;
    this.#directory = new DirectorySync(options.fs, options.directory);
    this.#journalId = randomBytes(4).readUInt32LE();
    this.#free = [];
    this.#freeing = 0;
    this.#nextNumber = firstNumber;
    this.#spare = undefined;
    this.#preparing = undefined;
  }

  async take(bytes: number): Promise<OpenSegment> {
    const { segmentBytes } = this.#options;
    const needed = segmentDataStart + bytes;
    if (needed > segmentBytes) {
      await this.#returnSpare(); // it has the smaller number, and would be written later
      const fileBytes = Math.ceil(needed / pageBytes) * pageBytes;
      return await this.#exclusively(() => this.#prepare(fileBytes));
    }
    await this.prepareSpare();
    const segment = this.#spare;
    assert(segment !== undefined, 'a prepared spare is there');
    this.#spare = undefined;
    // The next one, so that a full segment does not make a commit wait; a failure shows in `take`.
    this.prepareSpare().catch(ignoreOperatingErrors);
    return segment;
  }

  /** Has the next segment ready. Rejects with a `NodeError` when it cannot. */
  async prepareSpare(): Promise<void> {
    while (this.#preparing !== undefined) await this.#preparing;
    if (this.#spare !== undefined) return;
    await this.#exclusively(async () => {
      this.#spare = await this.#prepare(this.#options.segmentBytes);
    });
  }

  finished(segment: OpenSegment): void {
    let closed = false;
    const close = async (): Promise<void> => {
      if (closed) return;
      closed = true;
      await segment.file.close().catch(() => {}); // what was durable stays so
    };
    if (segment.hasRecords) {
      void this.#chores.run(`seal ${segment.name}`, close, () => this.#sealed(segment));
    } else if (segment.failed) {
      void this.remove(segment.path, segment.fileBytes, close);
    } else {
      const { name, path, fileBytes } = segment;
      void this.#freeFile(name, path, fileBytes, close);
    }
  }

  /** Fixes a segment's end for ever, then hands it on; resolves when that was tried once. */
  seal(path: string, target: SealedFile): Promise<void> {
    return this.#chores.run(`seal ${target.name}`, this.#renaming(path, target.path), () =>
      this.#onSealed(target),
    );
  }

  /**
   * The segment is where it belongs and is not needed again. Resolves when that is durable, or will
   * be tried again: a crash before repeats the same bytes under the same name.
   */
  async release(file: SealedFile): Promise<void> {
    const { name, path, fileBytes, recyclable } = file;
    if (recyclable) await this.#freeFile(name, path, fileBytes);
    else await this.remove(path, fileBytes);
  }

  /** Takes in a file found at start whose content means nothing. */
  adopt(name: string, path: string, fileBytes: number): Promise<void> {
    return this.#freeFile(name, path, fileBytes);
  }

  /** The file was moved out of the journal. */
  forget(file: SealedFile): void {
    this.#space.usedBytes -= file.fileBytes;
  }

  remove(path: string, fileBytes: number, before: () => Promise<void> = nothing): Promise<void> {
    const { fs } = this.#options;
    const unlink = async (): Promise<void> => {
      await before();
      await fs.unlink(path).catch(ignoreMissing);
      await this.#directory.sync();
    };
    return this.#chores.run(`remove ${path}`, unlink, () => {
      this.#space.usedBytes -= fileBytes;
    });
  }

  /** Returns the spare; nothing may be taken afterwards. */
  async close(): Promise<void> {
    await this.#returnSpare();
  }

  async #returnSpare(): Promise<void> {
    while (this.#preparing !== undefined) await this.#preparing.catch(() => {});
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) this.finished(spare);
  }

  #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    assert(this.#preparing === undefined, 'one preparation at a time');
    const preparing = work().finally(() => {
      this.#preparing = undefined;
    });
    this.#preparing = preparing;
    return preparing;
  }

  async #prepare(fileBytes: number): Promise<OpenSegment> {
    const { fs, directory } = this.#options;
    await this.#space.sample();
    const problem = this.#space.belowReserve() ?? this.#choresProblem();
    if (problem !== undefined) throw problem;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const name = segmentName(this.#journalId, number);
    const path = join(directory, segmentFile(name, 'open', 0));
    const source = await this.#blankFile(name, fileBytes);
    let file: JournalFile | undefined;
    try {
      await fs.rename(source, path);
      await this.#directory.sync();
      file = await fs.open(path, 'durable');
      return await this.#writeHeader(name, number, path, file, fileBytes);
    } catch (thrown) {
      await file?.close().catch(() => {}); // the first error is the one to tell
      void this.remove(source, 0);
      void this.remove(path, fileBytes);
      throw journalError('prepare a journal segment', thrown);
    }
  }

  #choresProblem(): NodeError | undefined {
    if (this.#chores.failed < limits.journalChoresMax) return undefined;
    const changes = `${this.#chores.failed} changes of files failed`;
    const message = `cannot prepare a journal segment: ${changes}`;
    return new NodeError('SLUICE_JOURNAL_FAILED', message);
  }

  /** The path of a recycled file when there is one, else of a new one if there is room. */
  async #blankFile(name: string, fileBytes: number): Promise<string> {
    const { fs, directory, segmentBytes } = this.#options;
    const free = fileBytes === segmentBytes ? this.#free.shift() : undefined;
    if (free !== undefined) return free;
    const refusal = this.#space.refusal(fileBytes);
    if (refusal !== undefined) throw refusal;
    const path = join(directory, segmentFile(name, 'new', 0));
    try {
      await preallocate(fs, path, fileBytes);
    } catch (thrown) {
      void this.remove(path, 0);
      throw journalError(`make a journal segment of ${fileBytes} bytes`, thrown);
    }
    this.#space.usedBytes += fileBytes;
    return path;
  }

  async #writeHeader(
    name: string,
    number: number,
    path: string,
    file: JournalFile,
    fileBytes: number,
  ): Promise<OpenSegment> {
    const preparedAtMs = this.#clock.now();
    const salt = randomBytes(4).readUInt32LE();
    const journalId = this.#journalId;
    const { page, seed } = encodeSegmentHeader(
      { journalId, number, preparedAtMs, fileBytes, salt },
      this.#options.crc32c,
    );
    await file.write([page], 0);
    return new OpenSegment({ name, journalId, number, preparedAtMs, seed }, path, file, fileBytes);
  }

  #sealed(segment: OpenSegment): void {
    const { name, journalId, number, durableEnd: end, fileBytes, failed } = segment;
    const path = join(this.#options.directory, segmentFile(name, 'sealed', end));
    const sinceMs = segment.firstDurableMs;
    void this.seal(segment.path, {
      ...{ name, journalId, number, path, end, fileBytes, sinceMs },
      recovered: false,
      recyclable: !failed,
    });
  }

  async #freeFile(
    name: string,
    path: string,
    fileBytes: number,
    before: () => Promise<void> = nothing,
  ): Promise<void> {
    if (!this.#wanted(fileBytes)) return await this.remove(path, fileBytes, before);
    const free = join(this.#options.directory, segmentFile(name, 'free', 0));
    const rename = this.#renaming(path, free);
    this.#freeing += 1;
    const action = async (): Promise<void> => {
      await before();
      await rename();
    };
    await this.#chores.run(`free ${name}`, action, () => {
      this.#freeing -= 1;
      this.#free.push(free);
    });
  }

  #wanted(fileBytes: number): boolean {
    const { segmentBytes, freeSegmentsMax } = this.#options;
    return fileBytes === segmentBytes && this.#free.length + this.#freeing < freeSegmentsMax;
  }

  /** A rename and the sync that makes it durable; may be repeated after a failure of either. */
  #renaming(from: string, to: string): () => Promise<void> {
    let renamed = from === to;
    return async () => {
      if (!renamed) await this.#rename(from, to);
      renamed = true;
      await this.#directory.sync();
    };
  }

  /**
   * A rename that failed may have happened all the same: then `from` is missing and `to` is not.
   */
  async #rename(from: string, to: string): Promise<void> {
    const { fs } = this.#options;
    try {
      await fs.rename(from, to);
    } catch (thrown) {
      if (errorCodeOf(thrown) !== 'ENOENT') throw thrown;
      const file = await fs.open(to, 'read');
      await file.close();
    }
  }
}

async function nothing(): Promise<void> {}

function ignoreOperatingErrors(thrown: unknown): void {
  if (!(thrown instanceof NodeError)) throw thrown;
}

function ignoreMissing(thrown: unknown): void {
  if (errorCodeOf(thrown) !== 'ENOENT') throw thrown;
}
