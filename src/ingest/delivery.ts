import { blockRows, sliceBlock } from '../block/slice.js';
import type { ClickhouseClient } from '../clickhouse/client.js';
import { classify } from '../clickhouse/errors.js';
import { recoverSegment } from '../clickhouse/recover.js';
import { tables } from '../clickhouse/tables.js';
import type { Logger } from '../core/logger.js';
import type { ClosedSegment } from '../journal/closed-segment.js';
import type { Journal } from '../journal/journal.js';
import { RecordKind, recordKindNames } from '../journal/record.js';

/** The tables that journal records go to as they are. */
const destinations = [
  { kind: RecordKind.telemetry, table: tables.telemetry },
  { kind: RecordKind.rejected, table: tables.rejected },
] as const;

type Blocks = () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** One INSERT: a part of a segment's records of one kind. */
interface Portion {
  readonly segment: ClosedSegment;
  readonly kind: RecordKind;
  readonly table: string;
  /** The same for the same bytes, after a restart too. */
  readonly token: string;
  readonly rows: number;
  readonly blocks: Blocks;
  /** All rows of the segment for this table. */
  readonly wholeSegment: boolean;
}

/**
 * Puts one segment into ClickHouse, exactly once.
 *
 * A segment that was never sent is one INSERT per table. Anything that may have been sent before is
 * compared with the table first (`recoverSegment`). What ClickHouse refuses for good is halved
 * until single rows are left; those go to the quarantine and the rest is stored.
 */
export class SegmentDelivery {
  readonly #logger: Logger;
  readonly #client: ClickhouseClient;
  readonly #journal: Journal;

  constructor(logger: Logger, client: ClickhouseClient, journal: Journal) {
    this.#logger = logger;
    this.#client = client;
    this.#journal = journal;
  }

  /**
   * Resolves with the number of points stored. Rejects with what may be tried again, see
   * `classify`. `first` is true when nobody can have sent any of it before.
   */
  async deliver(segment: ClosedSegment, first: boolean): Promise<number> {
    let refused = 0;
    for (const { kind, table } of destinations) {
      const rows = segment.rows(kind);
      if (rows === 0) continue;
      const whole: Portion = {
        segment,
        kind,
        table,
        token: `${segment.name}-${recordKindNames[kind]}`,
        rows,
        blocks: () => segment.payload(kind),
        wholeSegment: true,
      };
      if (await this.#accepted(whole, first)) continue;
      this.#logger.error('segment_refused', { segment: segment.name, table, rows });
      const lost = await this.#bisectRecords(whole, 0, segment.count(kind));
      if (kind === RecordKind.telemetry) refused += lost;
    }
    return segment.rows(RecordKind.telemetry) - refused;
  }

  /** False when ClickHouse refuses these bytes for ever; throws when it may take them later. */
  async #accepted(portion: Portion, first: boolean): Promise<boolean> {
    const { table, token, rows, blocks } = portion;
    try {
      if (first) await this.#client.insertNative(table, blocks(), { token, rows });
      else await recoverSegment(this.#client, { ...portion, name: portion.segment.name });
      return true;
    } catch (thrown) {
      if (classify(thrown).verdict === 'retry') throw thrown;
      this.#logger.limited('insert_refused', { token, rows, ...classify(thrown) });
      return false;
    }
  }

  /** Stores what it can of the records `[from, to)`; returns the number of rows set aside. */
  async #bisectRecords(whole: Portion, from: number, to: number): Promise<number> {
    const { segment, kind } = whole;
    if (to - from > 1) {
      const middle = from + ((to - from) >> 1);
      let lost = 0;
      for (const [start, end] of [
        [from, middle],
        [middle, to],
      ] as const) {
        const half: Portion = {
          ...whole,
          wholeSegment: false,
          token: `${whole.token}-${start}-${end}`,
          rows: await countRows(segment, kind, start, end),
          blocks: () => segment.payload(kind, start, end),
        };
        if (!(await this.#accepted(half, false))) {
          lost += await this.#bisectRecords(whole, start, end);
        }
      }
      return lost;
    }
    for await (const record of segment.records(kind, from, to)) {
      const rows = blockRows(record);
      return await this.#bisectRows(whole, record, `${whole.token}-${from}`, 0, rows);
    }
    return 0;
  }

  /** Like `#bisectRecords`, within one block that was refused. */
  async #bisectRows(
    whole: Portion,
    block: Uint8Array,
    token: string,
    from: number,
    to: number,
  ): Promise<number> {
    const bytes = sliceBlock(block, from, to);
    const portion: Portion = {
      ...whole,
      wholeSegment: false,
      token: `${token}-rows-${from}-${to}`,
      rows: to - from,
      blocks: () => [bytes],
    };
    if (await this.#accepted(portion, false)) return 0;
    if (to - from > 1) {
      const middle = from + ((to - from) >> 1);
      const left = await this.#bisectRows(whole, block, token, from, middle);
      return left + (await this.#bisectRows(whole, block, token, middle, to));
    }
    const about = { segment: whole.segment.name, table: whole.table, row: from };
    await this.#journal.setAside(`${portion.token}.native`, bytes, about);
    return 1;
  }
}

async function countRows(
  segment: ClosedSegment,
  kind: RecordKind,
  from: number,
  to: number,
): Promise<number> {
  let rows = 0;
  for await (const record of segment.records(kind, from, to)) rows += blockRows(record);
  return rows;
}
