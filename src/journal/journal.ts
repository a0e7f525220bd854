/**
 * The journal: what a device was told is stored lies here, synced, until ClickHouse has it.
 *
 *   pipeline ──append()──► Committer ──► segment files ──► ClosedQueue ──nextClosed()──► shipper
 *                             │              ▲  (SegmentStore)                              │
 *                             └─ onDurable   └───────────────── release() ──────────────────┘
 *
 * Called by ingest/pipeline.ts and ingest/shipper.ts. Nothing here knows what is in a payload,
 * apart from the 20 characters of the segment's name.
 */
import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { AgePolicy } from './age-policy.js';
import { Availability, journalError, type Readiness } from './availability.js';
import { Chores } from './chores.js';
import { ClosedQueue } from './closed-queue.js';
import type { ClosedSegment } from './closed-segment.js';
import { Committer } from './commit.js';
import { DiskSpace } from './disk-space.js';
import { type OnDurable, pendingAppend } from './group.js';
import type { JournalOptions } from './options.js';
import { Quarantine } from './quarantine.js';
import type { JournalRecord } from './record.js';
import { type Recovered, recoverDirectory } from './recovery.js';
import { segmentDataStart } from './segment-header.js';
import { quarantineFolder } from './segment-name.js';
import { SegmentStore } from './segment-store.js';

/** Plain numbers since the start, and of this moment. */
export interface JournalCounters {
  readonly commits: number;
  readonly bytesWritten: number;
  /** Of those, what callers handed in. */
  readonly payloadBytesWritten: number;
  readonly queuedBytes: number;
  /** Records that are durable and not released. */
  readonly unshippedBytes: number;
  readonly segmentsWaiting: number;
  /** Size of all segment files. */
  readonly usedBytes: number;
}

const tickMs = 1_000;

export class Journal {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #options: JournalOptions;
  readonly #quarantine: Quarantine;
  readonly #availability: Availability;
  readonly #chores: Chores;
  readonly #space: DiskSpace;
  readonly #queue: ClosedQueue;
  readonly #store: SegmentStore;
  readonly #committer: Committer;
  readonly #age: AgePolicy;
  #cancelTick: () => void;
  #ticking: Promise<void>;
  #recovering: Promise<void> | undefined;
  /** Monotonic time before which a failed journal does not try again. */
  #retryAt: number;
  #attempts: number;
  #closing: boolean;

  /**
   * Opens the directory, whatever state it was left in, and has a segment ready. A journal that
   * cannot write is opened as well and says so in `ready()`. Rejects with SLUICE_DATA_UNUSABLE when
   * the directory cannot be made or read. One journal per directory: the caller holds the lock. Its
   * timers keep the process alive until `close`.
   */
  static async open(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: JournalOptions,
  ): Promise<Journal> {
    const folder = join(options.directory, quarantineFolder);
    const quarantine = new Quarantine(clock, logger, metrics, options.fs, folder);
    await quarantine.open();
    const recovered = await recoverDirectory(clock, logger, options, quarantine);
    const journal = new Journal(clock, logger, metrics, options, quarantine, recovered);
    await journal.#start(recovered);
    return journal;
  }

  /** @internal Use `Journal.open`. */
  private constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: JournalOptions,
    quarantine: Quarantine,
    recovered: Recovered,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#options = options;
    this.#quarantine = quarantine;
    this.#availability = new Availability(logger);
    this.#chores = new Chores(logger, metrics);
    this.#space = new DiskSpace(logger, options, recovered.usedBytes);
    const queue = new ClosedQueue(logger, metrics, options, quarantine);
    this.#queue = queue;
    const firstNumber = recovered.highestNumber + 1;
    this.#store = new SegmentStore(clock, options, this.#space, this.#chores, firstNumber, (file) =>
      queue.add(file),
    );
    const committer = new Committer(clock, metrics, options, this.#availability, this.#store, () =>
      this.#age.consider(),
    );
    this.#committer = committer;
    this.#age = new AgePolicy(
      clock,
      options,
      () => committer.current,
      () => queue.wanted && queue.length === 0,
      () => void committer.cut(), // rejects only on a broken invariant
    );
    this.#cancelTick = () => {};
    this.#ticking = Promise.resolve();
    this.#recovering = undefined;
    this.#retryAt = 0;
    this.#attempts = 0;
    this.#closing = false;
  }

  async #start(recovered: Recovered): Promise<void> {
    for (const file of recovered.sealed) this.#queue.add(file);
    await Promise.all([
      ...recovered.unsealed.map(({ path, target }) => this.#store.seal(path, target)),
      ...recovered.unused.map((file) => this.#store.adopt(file.name, file.path, file.fileBytes)),
      ...recovered.unfinished.map((file) => this.#store.remove(file.path, file.fileBytes)),
    ]);
    await this.#prepare();
    this.#logger.info('journal_opened', {
      directory: this.#options.directory,
      segments: recovered.sealed.length + recovered.unsealed.length,
      bytes: this.#queue.bytes,
    });
    this.#armTick();
  }

  /**
   * Makes the records durable together, in one segment. `onDurable` is called once, later, in the
   * order of the appends: with nothing, or with SLUICE_JOURNAL_FULL, SLUICE_JOURNAL_FAILED or
   * SLUICE_JOURNAL_BUSY, and then nothing may be acknowledged. Until then the bytes of the records
   * belong to the journal, which writes the segment's name into them. An append without records is
   * answered in its turn and writes nothing.
   */
  append(records: readonly JournalRecord[], onDurable: OnDurable): void {
    if (this.#closing) {
      const error = new NodeError('SLUICE_JOURNAL_FAILED', 'cannot append: the journal is closed');
      queueMicrotask(() => onDurable(error));
      return;
    }
    this.#committer.append(pendingAppend(records, onDurable));
  }

  /** Whether appends are accepted at present, and if not, the reason for an operator. */
  ready(): Readiness {
    if (this.#closing) return { ready: false, reason: 'the journal is closed' };
    return this.#availability.readiness();
  }

  /** Sum of what waits for a sync: bounded by `queueBytesMax`, above which appends are refused. */
  get queuedBytes(): number {
    return this.#committer.queuedBytes;
  }

  /**
   * The oldest closed segment that nobody has taken; waits for one. While somebody waits, the
   * current segment is closed by age. Undefined when `signal` aborted or the journal was closed.
   */
  nextClosed(signal?: AbortSignal): Promise<ClosedSegment | undefined> {
    return this.#queue.next(this.#store, signal, () => this.#age.consider());
  }

  /** The segment is stored elsewhere: its file is recycled. Resolves when it cannot come again. */
  async release(segment: ClosedSegment): Promise<void> {
    await this.#queue.release(segment, this.#store);
    this.#gauges();
    if (this.#availability.problem?.code === 'SLUICE_JOURNAL_FULL') await this.#recover();
  }

  /** Closes the current segment, so that `nextClosed` gives it out at once. */
  async cut(): Promise<void> {
    await this.#committer.cut();
    await this.#chores.idle();
  }

  /**
   * Keeps bytes that ClickHouse refused; false when the quarantine is full and they are only
   * counted.
   */
  setAside(name: string, bytes: Uint8Array, about: Record<string, unknown>): Promise<boolean> {
    return this.#quarantine.keepBytes(bytes, name, about);
  }

  counters(): JournalCounters {
    const { commits, bytesWritten, payloadBytesWritten, queuedBytes } = this.#committer;
    return {
      ...{ commits, bytesWritten, payloadBytesWritten, queuedBytes },
      unshippedBytes: this.#unshippedBytes(),
      segmentsWaiting: this.#queue.length,
      usedBytes: this.#space.usedBytes,
    };
  }

  /** Answers what was appended, seals the current segment and lets go of all files. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#cancelTick();
    this.#age.close();
    await this.#ticking;
    await this.#recovering;
    await this.#committer.stop();
    await this.#store.close();
    await this.#chores.idle();
    if (this.#chores.failed > 0) await this.#chores.retry();
    await this.#queue.close();
    this.#gauges();
  }

  #armTick(): void {
    if (this.#closing) return;
    const troubled = this.#availability.problem !== undefined;
    const wait = troubled ? limits.journalRetryMsMin : tickMs;
    this.#cancelTick = this.#options.timers.after(wait, () => {
      // Catches what the disk may throw; the rest is to end the process.
      this.#ticking = this.#tick();
    });
  }

  async #tick(): Promise<void> {
    await this.#space.sample();
    const below = this.#space.belowReserve();
    if (below !== undefined) this.#availability.refuse(below);
    else if (this.#availability.problem !== undefined) await this.#recover();
    else if (this.#chores.failed > 0) await this.#chores.retry();
    // Only a commit proves that the disk works again.
    if (this.#committer.failuresInRow === 0 && this.ready().ready) this.#attempts = 0;
    this.#gauges();
    this.#armTick();
  }

  /** One attempt to accept appends again, shared by whoever asks meanwhile. */
  async #recover(): Promise<void> {
    if (this.#closing) return;
    this.#recovering ??= this.#recoverNow().finally(() => {
      this.#recovering = undefined;
    });
    await this.#recovering;
  }

  async #recoverNow(): Promise<void> {
    const now = this.#clock.monotonic();
    const failed = this.#availability.problem?.code === 'SLUICE_JOURNAL_FAILED';
    if (failed && now < this.#retryAt) return;
    const wait = limits.journalRetryMsMin * 2 ** Math.min(this.#attempts, 10);
    this.#retryAt = now + Math.min(wait, limits.journalRetryMsMax);
    this.#attempts += 1;
    if (this.#chores.failed > 0) await this.#chores.retry();
    await this.#prepare();
  }

  /** Accepts appends when there is a segment for them and room enough. */
  async #prepare(): Promise<void> {
    await this.#space.sample();
    const below = this.#space.belowReserve();
    if (below !== undefined) {
      this.#availability.refuse(below);
      return;
    }
    try {
      if (this.#committer.current === undefined) await this.#store.prepareSpare();
    } catch (thrown) {
      if (!(thrown instanceof NodeError)) throw thrown;
      this.#availability.refuse(journalError('prepare a journal segment', thrown));
      return;
    }
    this.#availability.accept();
  }

  #unshippedBytes(): number {
    const current = this.#committer.current;
    const open = current === undefined ? 0 : current.durableEnd - segmentDataStart;
    return this.#queue.bytes + open;
  }

  #gauges(): void {
    this.#metrics.journalBytes.set(this.#unshippedBytes());
    const current = this.#committer.current;
    const open = current?.hasRecords === true ? current.firstDurableMs : undefined;
    const since = this.#queue.oldestMs() ?? open;
    const age = since === undefined ? 0 : (this.#clock.now() - since) / 1000;
    this.#metrics.journalOldest.set(Math.max(0, age));
  }
}
