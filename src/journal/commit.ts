import { assert } from '../core/assert.js';
import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import type { Metrics } from '../core/metrics.js';
import { type Availability, journalError } from './availability.js';
import { Group, type PendingAppend } from './group.js';
import type { OpenSegment } from './open-segment.js';
import type { JournalOptions } from './options.js';

/** Where segments come from and go to. */
export interface SegmentSource {
  /** A segment with room for `bytes` of records. Rejects with a `NodeError`. */
  take(bytes: number): Promise<OpenSegment>;
  /** The segment is not written any more; what it holds up to `durableEnd` is to be shipped. */
  finished(segment: OpenSegment): void;
}

/** A second failure in a row, on another file, is the disk's and not the file's. */
const failuresTolerated = 1;

/**
 * Group commit: one write with its sync is under way, everything that arrives meanwhile is the
 * next.
 *
 *   append ─► waiting ─► filling group ─────────► writing group ─► durable ─► onDurable
 *             (no room    (named, summed while      (in the thread pool)
 *              or no       the disk works)             │ fails
 *              segment)                                ▼
 *                      its appends are refused, the segment ends at its last durable byte,
 *                      the filling group goes back to `waiting` and on to another segment
 *
 * Invariants: at most one write is under way; appends become durable and are answered in the order
 * they came; `queuedBytes` is the sum of what is waiting, filling, writing and not yet answered,
 * and never exceeds `queueBytesMax`.
 */
export class Committer {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #options: JournalOptions;
  readonly #availability: Availability;
  readonly #source: SegmentSource;
  readonly #onCommitted: () => void;
  #waiting: PendingAppend[];
  #filling: Group;
  #idleGroup: Group;
  /** Durable but not answered: they are told while the next write is under way. */
  #durable: PendingAppend[];
  #current: OpenSegment | undefined;
  #running: Promise<void> | undefined;
  #cutRequested: boolean;
  #startedAt: number;
  #failuresInRow: number;
  queuedBytes: number;
  commits: number;
  bytesWritten: number;
  payloadBytesWritten: number;

  constructor(
    clock: Clock,
    metrics: Metrics,
    options: JournalOptions,
    availability: Availability,
    source: SegmentSource,
    onCommitted: () => void,
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#options = options;
    this.#availability = availability;
    this.#source = source;
    this.#onCommitted = onCommitted;
    this.#waiting = [];
    this.#filling = new Group(options.crc32c);
    this.#idleGroup = new Group(options.crc32c);
    this.#durable = [];
    this.#current = undefined;
    this.#running = undefined;
    this.#cutRequested = false;
    this.#startedAt = Number.NEGATIVE_INFINITY;
    this.#failuresInRow = 0;
    this.queuedBytes = 0;
    this.commits = 0;
    this.bytesWritten = 0;
    this.payloadBytesWritten = 0;
  }

  get current(): OpenSegment | undefined {
    return this.#current;
  }

  get failuresInRow(): number {
    return this.#failuresInRow;
  }

  append(append: PendingAppend): void {
    const problem = this.#availability.problem ?? this.#busy(append);
    if (problem !== undefined) {
      // Never from inside `append`: the caller may not be ready for the answer yet.
      queueMicrotask(() => append.onDurable(problem));
      return;
    }
    this.queuedBytes += append.bytes;
    if (this.#waiting.length > 0 || !this.#place(append)) this.#waiting.push(append);
    this.#start();
  }

  /** Ends the current segment once what is under way is durable. */
  async cut(): Promise<void> {
    if (this.#current !== undefined && this.#current.placedRows > 0) {
      this.#cutRequested = true;
      this.#start();
    }
    await this.#running;
  }

  /** Waits until everything accepted is answered and ends the current segment. */
  async stop(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    this.#finishCurrent();
  }

  #start(): void {
    // Rejects only on a broken invariant, which is to end the process.
    this.#running ??= this.#run();
  }

  #busy(append: PendingAppend): NodeError | undefined {
    if (this.queuedBytes + append.bytes <= this.#options.queueBytesMax) return undefined;
    const message =
      `cannot append ${append.bytes} bytes: ${this.queuedBytes} wait for the disk already, ` +
      `more than ${this.#options.queueBytesMax} are not held in memory`;
    return new NodeError('SLUICE_JOURNAL_BUSY', message);
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what is appended in the same tick shares the first group
    for (;;) {
      if (this.#filling.appends.length === 0) {
        this.#answerDurable(); // which may append again
        if (this.#filling.appends.length > 0) continue;
        if (this.#cutRequested || this.#waiting.length > 0) this.#finishCurrent();
        const head = this.#waiting[0];
        // Nothing is awaited between this look and the end: no append can slip in unseen.
        if (head === undefined) break;
        await this.#takeSegment(head.bytes);
        continue;
      }
      await this.#commit();
      this.#fill();
    }
    this.#running = undefined;
  }

  async #takeSegment(bytes: number): Promise<void> {
    try {
      this.#current = await this.#source.take(bytes);
    } catch (thrown) {
      this.#refuse(journalError('open a journal segment', thrown));
      return;
    }
    this.#fill();
    assert(this.#filling.appends.length > 0, 'a new segment has room for what it was taken for');
  }

  #finishCurrent(): void {
    const segment = this.#current;
    this.#cutRequested = false;
    this.#current = undefined;
    if (segment !== undefined) this.#source.finished(segment);
  }

  #fill(): void {
    let placed = 0;
    for (const append of this.#waiting) {
      if (!this.#place(append)) break;
      placed += 1;
    }
    if (placed > 0) this.#waiting.splice(0, placed);
  }

  #place(append: PendingAppend): boolean {
    const group = this.#filling;
    if (append.records.length === 0) {
      group.placeEmpty(append);
      return true;
    }
    const segment = this.#current;
    if (segment === undefined || this.#cutRequested) return false;
    if (!segment.fits(append.bytes, append.rows, this.#options.segmentRowsMax)) return false;
    if (!group.hasRoom(append, this.#options.commitBytesMax)) return false;
    group.place(append, segment);
    return true;
  }

  async #commit(): Promise<void> {
    const group = this.#filling;
    this.#filling = this.#idleGroup;
    this.#idleGroup = group;
    group.finish();
    this.#startedAt = this.#clock.monotonic();
    const written = this.#write(group);
    this.#answerDurable();
    const thrown = await written;
    if (thrown === undefined) this.#groupDurable(group);
    else this.#groupFailed(group, thrown);
    group.clear();
  }

  /** Resolves with what was thrown, so that a failure cannot stay unhandled meanwhile. */
  async #write(group: Group): Promise<unknown> {
    if (group.segment === undefined) return undefined;
    try {
      await group.segment.file.write(group.vectors, group.from);
      return undefined;
    } catch (thrown) {
      return thrown ?? 'unknown';
    }
  }

  #groupDurable(group: Group): void {
    const segment = group.segment;
    this.#durable = group.appends;
    if (segment === undefined) return;
    const now = this.#clock.monotonic();
    segment.becameDurable(group.from + group.bytes, now, this.#clock.now());
    this.#failuresInRow = 0;
    this.commits += 1;
    this.bytesWritten += group.bytes;
    for (const append of group.appends) {
      for (const record of append.records) this.payloadBytesWritten += record.bytes.byteLength;
    }
    this.#metrics.journalCommits.inc();
    this.#metrics.journalWritten.inc(group.bytes);
    this.#metrics.journalSyncDuration.observe((now - this.#startedAt) / 1000);
    if (segment.placedRows >= this.#options.segmentRowsMax) this.#cutRequested = true;
    this.#onCommitted();
  }

  /** The write is not repeated on this file: what the kernel kept of it is unknown for good. */
  #groupFailed(group: Group, thrown: unknown): void {
    const segment = group.segment;
    assert(segment !== undefined && segment === this.#current, 'a group lies in the current one');
    this.#metrics.journalFailures.inc();
    this.#failuresInRow += 1;
    segment.failed = true;
    if (this.#filling.segment === segment) {
      this.#waiting.unshift(...this.#filling.appends);
      this.#filling.clear();
    }
    this.#finishCurrent();
    const error = journalError(`write ${segment.name}`, thrown);
    for (const append of group.appends) this.#answer(append, error);
    if (this.#failuresInRow > failuresTolerated) this.#refuse(error);
  }

  /** Nothing is accepted until the journal found another segment that works. */
  #refuse(error: NodeError): void {
    this.#availability.refuse(error);
    const refused = this.#waiting;
    this.#waiting = [];
    for (const append of refused) this.#answer(append, error);
  }

  #answerDurable(): void {
    const durable = this.#durable;
    this.#durable = [];
    for (const append of durable) this.#answer(append, undefined);
  }

  #answer(append: PendingAppend, error: NodeError | undefined): void {
    this.queuedBytes -= append.bytes;
    assert(this.queuedBytes >= 0, 'every append is answered once');
    append.onDurable(error);
  }
}
