import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { errorCodeOf, type JournalFile, type JournalFs } from './journal-fs.js';
import type { Damage } from './scan.js';

/** Closed set: the label `reason` of the metric. */
export type QuarantineReason = 'damaged' | 'torn' | 'refused';

const copyBytes = 1024 * 1024;
const withoutBytes = 'not kept: the quarantine is full';

/**
 * The folder `quarantine/`: what cannot be delivered, kept for an operator. Each thing is a file of
 * bytes and, under the same name with `.json` behind it, a sentence or two about them.
 *
 * Bounded by `quarantineBytesMax` and `quarantineFilesMax`; above them what is set aside is still
 * counted and logged, but not kept. Whole files that are moved in do not take more of the disk.
 */
export class Quarantine {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #fs: JournalFs;
  readonly path: string;
  #bytes: number;
  #files: number;

  constructor(clock: Clock, logger: Logger, metrics: Metrics, fs: JournalFs, path: string) {
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#fs = fs;
    this.path = path;
    this.#bytes = 0;
    this.#files = 0;
  }

  /** Creates the folder and learns what lies in it; a node starts without one as well. */
  async open(): Promise<void> {
    try {
      await this.#fs.makeDirectory(this.path);
      for (const name of await this.#fs.list(this.path)) {
        const file = await this.#fs.open(join(this.path, name), 'read');
        this.#bytes += await file.size();
        this.#files += 1;
        await file.close();
      }
    } catch (thrown) {
      this.#logger.error('journal_quarantine_failed', { error: String(thrown) });
    }
  }

  /** Copies a hole of a file that goes on being used. False when its bytes could not be kept. */
  async keepHole(
    reason: QuarantineReason,
    file: JournalFile,
    segment: string,
    hole: Damage,
  ): Promise<boolean> {
    const { from, to } = hole;
    const name = `${segment}.${from}-${to}.${reason}`;
    const about = { segment, ...hole };
    this.#note(reason, name, about);
    return await this.#keep(name, about, to - from, async (copy) => {
      const buffer = new Uint8Array(Math.min(copyBytes, to - from));
      for (let at = from; at < to; at += buffer.byteLength) {
        const wanted = buffer.subarray(0, Math.min(buffer.byteLength, to - at));
        const length = await file.read(wanted, at);
        if (length === 0) break; // the file is shorter than it should be
        await copy.write([wanted.subarray(0, length)], at - from);
      }
    });
  }

  /** Keeps bytes that are in memory: rows that ClickHouse refused. */
  async keepBytes(
    bytes: Uint8Array,
    name: string,
    about: Record<string, unknown>,
  ): Promise<boolean> {
    this.#note('refused', name, about);
    return await this.#keep(name, about, bytes.byteLength, (copy) => copy.write([bytes], 0));
  }

  /** Moves a whole file in. False when it could not be moved and lies where it was. */
  async keepFile(path: string, name: string, about: Record<string, unknown>): Promise<boolean> {
    this.#note('damaged', name, about);
    try {
      await this.#fs.rename(path, join(this.path, name));
      await this.#fs.syncDirectory(this.path);
      await this.#describe(name, about);
      return true;
    } catch (thrown) {
      this.#logger.error('journal_quarantine_failed', { file: name, error: String(thrown) });
      return false;
    }
  }

  #note(reason: QuarantineReason, name: string, about: Record<string, unknown>): void {
    this.#metrics.journalQuarantined.inc({ reason });
    this.#logger.limited('journal_quarantined', { reason, file: name, ...about });
  }

  async #keep(
    name: string,
    about: Record<string, unknown>,
    bytes: number,
    copyTo: (copy: JournalFile) => Promise<void>,
  ): Promise<boolean> {
    if (this.#files + 2 > limits.quarantineFilesMax) return false;
    try {
      if (this.#bytes + bytes > limits.quarantineBytesMax) {
        await this.#describe(name, { ...about, bytes: withoutBytes });
        return false;
      }
      await this.#create(name, copyTo);
      this.#bytes += bytes;
      await this.#describe(name, about);
      return true;
    } catch (thrown) {
      this.#logger.error('journal_quarantine_failed', { file: name, error: String(thrown) });
      return false;
    }
  }

  #describe(name: string, about: Record<string, unknown>): Promise<void> {
    const at = new Date(this.#clock.now()).toISOString();
    const text = `${JSON.stringify({ ...about, at })}\n`;
    return this.#create(`${name}.json`, (file) => file.write([Buffer.from(text)], 0));
  }

  /** The same thing may be found again after a restart: the newer copy replaces the older. */
  async #create(name: string, fill: (file: JournalFile) => Promise<void>): Promise<void> {
    const path = join(this.path, name);
    await this.#fs.unlink(path).catch((thrown: unknown) => {
      if (errorCodeOf(thrown) !== 'ENOENT') throw thrown;
    });
    const file = await this.#fs.open(path, 'create');
    try {
      await fill(file);
      await file.sync();
    } finally {
      await file.close();
    }
    this.#files += 1;
    await this.#fs.syncDirectory(this.path);
  }
}
