import { classify } from '../clickhouse/errors.js';
import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { ClosedSegment } from '../journal/closed-segment.js';
import type { Journal } from '../journal/journal.js';
import { RecordKind } from '../journal/record.js';
import { backoff } from './backoff.js';
import type { SegmentDelivery } from './delivery.js';

/** Applies client attributes to the registry, durably and idempotently. */
export type AttributesStore = (packed: Uint8Array) => Promise<void>;

/**
 * Ships closed segments to ClickHouse: one INSERT per table and segment, `insertsInFlight` segments
 * at a time, for ever until they are in.
 *
 *     journal ──next closed──► INSERT telemetry ► INSERT rejected ► attributes ► release
 *                                   │ retry: same bytes, same token, back-off
 *                                   └ reject: bisect, quarantine the guilty rows, the rest goes on
 *
 * Nothing here is on the path of an acknowledgement. A segment is released only when every part of
 * it is where it belongs, so a crash at any point repeats the segment and the tokens make that
 * void.
 */
export class Shipper {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #journal: Journal;
  readonly #delivery: SegmentDelivery;
  readonly #attributes: AttributesStore;
  readonly #abort: AbortController;
  #loops: Promise<void>[];
  /** Why the last attempt failed; undefined after one that did not. */
  problem: string | undefined;

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    journal: Journal,
    delivery: SegmentDelivery,
    attributes: AttributesStore,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#journal = journal;
    this.#delivery = delivery;
    this.#attributes = attributes;
    this.#abort = new AbortController();
    this.#loops = [];
    this.problem = undefined;
  }

  /** Starts `insertsInFlight` loops. */
  start(insertsInFlight: number): void {
    for (let index = 0; index < insertsInFlight; index++) this.#loops.push(this.#loop());
  }

  /** Resolves when the inserts under way have ended; what they did not get in stays journaled. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#loops);
    this.#loops = [];
  }

  async #loop(): Promise<void> {
    const signal = this.#abort.signal;
    while (!signal.aborted) {
      const segment = await this.#journal.nextClosed(signal);
      if (segment === undefined) return;
      if (!(await this.#ship(segment, signal))) return;
    }
  }

  /** Repeats until the segment is in; false when the shipper stopped before. */
  async #ship(segment: ClosedSegment, signal: AbortSignal): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      const startedAt = this.#clock.monotonic();
      try {
        const first = attempt === 0 && !segment.recovered;
        const stored = await this.#delivery.deliver(segment, first);
        await this.#applyAttributes(segment);
        await this.#journal.release(segment);
        this.#stored(stored, startedAt);
        return true;
      } catch (thrown) {
        const { code, known } = classify(thrown);
        this.problem = messageOf(thrown);
        this.#metrics.insertRetries.inc({ code });
        this.#metrics.clickhouseUp.set(0);
        this.#logger.limited('insert_retry', {
          segment: segment.name,
          attempt,
          code,
          known,
          error: messageOf(thrown),
        });
      }
      await backoff(attempt, signal);
      if (signal.aborted) return false;
    }
  }

  #stored(points: number, startedAt: number): void {
    this.problem = undefined;
    this.#metrics.insertDuration.observe((this.#clock.monotonic() - startedAt) / 1000);
    this.#metrics.insertRows.observe(points);
    this.#metrics.pointsStored.inc(points);
    this.#metrics.clickhouseUp.set(1);
  }

  async #applyAttributes(segment: ClosedSegment): Promise<void> {
    if (segment.rows(RecordKind.attributes) === 0) return;
    for await (const packed of segment.records(RecordKind.attributes)) {
      await this.#attributes(packed);
    }
  }
}
