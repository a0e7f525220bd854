import type { Clock } from '../core/clock.js';
import { messageOf, type NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { isRejection, Outcome, outcomeNames } from '../core/outcome.js';
import type { Journal } from '../journal/journal.js';
import { type JournalRecord, RecordKind } from '../journal/record.js';
import type { EncodedRecord, NormaliseResult } from '../normalise/result.js';
import type { Batch } from './batch.js';
import type { BatchSink } from './batcher.js';
import type { NormalisePool } from './pool.js';

/** Where a batch is on its way; batches move strictly in the order they were taken. */
interface Passage {
  readonly batch: Batch;
  /** Set when the worker answered; undefined before. */
  result: NormaliseResult | undefined;
  /** What every message of the batch settles to when the batch as a whole failed. */
  failure: Outcome | undefined;
}

/**
 * What the pipeline tells about accepted attributes, so that reads see them before they are
 * shipped.
 */
export type AttributesListener = (packed: Uint8Array) => void;

/**
 * Takes sealed batches through worker and journal and settles their messages.
 *
 *     take ─► worker (any order) ─► journal (order of take) ─► settle (order of take) ─► recycle
 *                 │ worker died          │ write or sync failed
 *                 └──────────────────────┴─► settle as not stored: no acknowledgement
 *
 * The order is kept because acknowledgements must follow the order of receipt [MQTT-4.6.0-2] and
 * because the later of two values for one point must lie later in the journal.
 */
export class Pipeline implements BatchSink {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #pool: NormalisePool;
  readonly #journal: Journal;
  readonly #passages: Passage[];
  #recycle: (batch: Batch) => void;
  #onAttributes: AttributesListener;
  #idleWaiters: (() => void)[];
  /** Counted in plain fields and added to the metrics once per batch. */
  inFlight: number;

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    pool: NormalisePool,
    journal: Journal,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#pool = pool;
    this.#journal = journal;
    this.#passages = [];
    this.#recycle = () => {};
    this.#onAttributes = () => {};
    this.#idleWaiters = [];
    this.inFlight = 0;
  }

  /** Wires the batcher that gets its batches back, and who hears of attributes. */
  connect(recycle: (batch: Batch) => void, onAttributes: AttributesListener): void {
    this.#recycle = recycle;
    this.#onAttributes = onAttributes;
  }

  take(batch: Batch): void {
    this.inFlight += 1;
    const passage: Passage = { batch, result: undefined, failure: undefined };
    this.#passages.push(passage);
    // Both branches end in `#advance`; neither rejects.
    void this.#normalise(passage);
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    if (this.inFlight === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  async #normalise(passage: Passage): Promise<void> {
    const batch = passage.batch;
    try {
      const input = batch.seal();
      const output = batch.takeOutput();
      const result = await this.#pool.run({ input, output, nowMs: this.#clock.now() });
      batch.rebind(result.input, result.output);
      passage.result = result;
    } catch (thrown) {
      this.#logger.error('worker_failed', { error: messageOf(thrown), messages: batch.rows });
      batch.replaceBuffers();
      passage.failure = Outcome.journalUnavailable;
    }
    this.#advance();
  }

  /** Moves every leading batch whose worker has answered on to the journal. */
  #advance(): void {
    for (;;) {
      const head = this.#passages[0];
      if (head === undefined) return;
      if (head.failure !== undefined) {
        this.#passages.shift();
        this.#settle(head, head.failure);
      } else if (head.result !== undefined) {
        this.#passages.shift();
        this.#store(head, head.result);
      } else {
        return;
      }
    }
  }

  #store(passage: Passage, result: NormaliseResult): void {
    // Without records too (`{}`, `[]`): earlier batches must be settled first.
    const records = recordsOf(result);
    this.#journal.append(records, (error) => this.#durable(passage, result, error));
  }

  #durable(passage: Passage, result: NormaliseResult, error: NodeError | undefined): void {
    if (error !== undefined) {
      this.#logger.limited('journal_append_failed', { error: error.message });
      const busy = error.code === 'SLUICE_JOURNAL_BUSY';
      this.#settle(passage, busy ? Outcome.overload : Outcome.journalUnavailable);
      return;
    }
    if (result.attributes.bytes > 0) {
      this.#onAttributes(viewOf(result.output, result.attributes));
    }
    this.#count(passage.batch, result);
    this.#settle(passage, undefined);
  }

  #settle(passage: Passage, failure: Outcome | undefined): void {
    const batch = passage.batch;
    const outcomes = batch.view.outcome;
    const offsets = batch.view.reasonOffset;
    for (let row = 0; row < batch.rows; row++) {
      const origin = batch.origins[row];
      if (origin === undefined) continue;
      if (failure === undefined) {
        origin.settle(batch.refs[row]!, outcomes[row]!, offsets[row]!);
      } else {
        origin.settle(batch.refs[row]!, failure, -1);
      }
    }
    this.#metrics.ackDuration.observe((this.#clock.monotonic() - batch.firstRowAt) / 1000);
    this.inFlight -= 1;
    this.#recycle(batch);
    if (this.inFlight === 0) {
      const waiters = this.#idleWaiters;
      this.#idleWaiters = [];
      for (const resolve of waiters) resolve();
    }
  }

  #count(batch: Batch, result: NormaliseResult): void {
    const metrics = this.#metrics;
    metrics.batchMessages.observe(batch.rows);
    if (result.telemetry.rows > 0) metrics.pointsAccepted.inc(result.telemetry.rows);
    if (result.integersWidened > 0) metrics.integersWidened.inc(result.integersWidened);
    if (result.rejectedDropped > 0) metrics.rejectedDropped.inc(result.rejectedDropped);
    if (result.messagesRejected === 0) return;
    const outcomes = batch.view.outcome;
    for (let row = 0; row < batch.rows; row++) {
      const outcome = outcomes[row]!;
      if (!isRejection(outcome)) continue;
      metrics.rejected.inc({ reason: outcomeNames.get(outcome) ?? 'other' });
    }
  }
}

function recordsOf(result: NormaliseResult): JournalRecord[] {
  const records: JournalRecord[] = [];
  const add = (kind: RecordKind, record: EncodedRecord): void => {
    if (record.bytes === 0) return;
    const bytes = viewOf(result.output, record);
    records.push({ kind, rows: record.rows, bytes, segmentNameAt: record.segmentNameAt });
  };
  add(RecordKind.telemetry, result.telemetry);
  add(RecordKind.attributes, result.attributes);
  add(RecordKind.rejected, result.rejected);
  return records;
}

function viewOf(buffer: ArrayBuffer, record: EncodedRecord): Uint8Array {
  return new Uint8Array(buffer, record.start, record.bytes);
}
