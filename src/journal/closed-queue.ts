import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { type ClosedSegment, takeSegment } from './closed-segment.js';
import type { JournalOptions } from './options.js';
import type { Quarantine } from './quarantine.js';
import type { SealedFile } from './sealed-file.js';
import { segmentDataStart } from './segment-header.js';
import type { SegmentStore } from './segment-store.js';

/** How long a sealed file that could not be opened waits for the next attempt. */
const againAfterMs = 1_000;

/**
 * Sealed segments on their way out, oldest first.
 *
 *   sealed ─► waiting ──next()──► taken ──release()──► free
 *
 * Invariant: `bytes` is the sum of the records of what is waiting or taken. A waiting segment costs
 * one small object; its records are looked up when it is taken.
 */
export class ClosedQueue {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #options: JournalOptions;
  readonly #quarantine: Quarantine;
  readonly #waiting: SealedFile[];
  readonly #taken: Map<string, SealedFile>;
  readonly #open: Set<ClosedSegment>;
  readonly #retries: Set<() => void>;
  #callers: (() => void)[];
  #closed: boolean;
  bytes: number;

  constructor(logger: Logger, metrics: Metrics, options: JournalOptions, quarantine: Quarantine) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#options = options;
    this.#quarantine = quarantine;
    this.#waiting = [];
    this.#taken = new Map();
    this.#open = new Set();
    this.#retries = new Set();
    this.#callers = [];
    this.#closed = false;
    this.bytes = 0;
  }

  /** Somebody has nothing to ship and would take what is there. */
  get wanted(): boolean {
    return this.#callers.length > 0;
  }

  /** Sealed segments that nobody has taken. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Wall-clock time since when the oldest segment waits to be stored; undefined without one. */
  oldestMs(): number | undefined {
    let oldest = this.#waiting[0]?.sinceMs;
    for (const file of this.#taken.values()) {
      if (oldest === undefined || file.sinceMs < oldest) oldest = file.sinceMs;
    }
    return oldest;
  }

  add(file: SealedFile): void {
    this.bytes += file.end - segmentDataStart;
    this.#enqueue(file);
  }

  /**
   * The oldest segment; undefined when `signal` aborted or the journal closed before there was one.
   */
  async next(
    store: SegmentStore,
    signal: AbortSignal | undefined,
    onWaiting: () => void,
  ): Promise<ClosedSegment | undefined> {
    while (!this.#closed && signal?.aborted !== true) {
      const file = this.#waiting.shift();
      if (file === undefined) {
        const arrival = this.#arrival(signal);
        onWaiting();
        await arrival;
        continue;
      }
      this.#taken.set(file.name, file);
      const segment = await this.#take(file, store);
      if (segment !== undefined) return segment;
    }
    return undefined;
  }

  async release(segment: ClosedSegment, store: SegmentStore): Promise<void> {
    const { sealed } = segment;
    if (!this.#open.delete(segment)) return; // twice does no harm
    await segment.closeFile().catch(() => {}); // it was only read
    this.#forget(sealed);
    const about = { segment: sealed.name, problem: 'damaged bytes could not be copied' };
    if (segment.fileWanted) await this.#keepFile(sealed, store, about);
    else await store.release(sealed);
  }

  /** Ends all waiting and closes what is taken; nothing may be read afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#retries) cancel();
    this.#retries.clear();
    this.#wake();
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all(open.map((segment) => segment.closeFile().catch(() => {})));
  }

  #enqueue(file: SealedFile): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.number ?? 0) > file.number) at -= 1;
    this.#waiting.splice(at, 0, file);
    this.#wake();
  }

  /** Everybody looks again; who finds nothing waits again. */
  #wake(): void {
    const callers = this.#callers;
    this.#callers = [];
    for (const resume of callers) resume();
  }

  #arrival(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const resume = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        this.#callers = this.#callers.filter((caller) => caller !== resume);
        resume();
      };
      signal?.addEventListener('abort', abort);
      this.#callers.push(resume);
    });
  }

  /** Undefined when there is nothing to ship in it, now or for good. */
  async #take(file: SealedFile, store: SegmentStore): Promise<ClosedSegment | undefined> {
    let segment: ClosedSegment | undefined;
    try {
      segment = await takeSegment(this.#options, file, this.#quarantine);
    } catch (thrown) {
      this.#metrics.journalFailures.inc();
      this.#logger.limited('journal_segment_unreadable', {
        segment: file.name,
        error: String(thrown),
      });
      this.#later(file);
      return undefined;
    }
    if (segment === undefined) {
      this.#forget(file);
      store.forget(file);
      return undefined;
    }
    this.#open.add(segment);
    if (segment.recordCount > 0) return segment;
    await this.release(segment, store);
    return undefined;
  }

  #later(file: SealedFile): void {
    this.#taken.delete(file.name);
    const cancel = this.#options.timers.after(againAfterMs, () => {
      this.#retries.delete(cancel);
      this.#enqueue(file);
    });
    this.#retries.add(cancel);
  }

  async #keepFile(
    file: SealedFile,
    store: SegmentStore,
    about: Record<string, unknown>,
  ): Promise<void> {
    const kept = await this.#quarantine.keepFile(file.path, `${file.name}.segment`, about);
    if (kept) store.forget(file);
    else this.#logger.error('journal_damage_left', { file: file.path });
  }

  #forget(file: SealedFile): void {
    this.#taken.delete(file.name);
    this.bytes -= file.end - segmentDataStart;
  }
}
