/**
 * What the journal's tests have in common: a journal on a disk in memory, and time that stands
 * still.
 */
import type { NodeError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createMetrics, type Metrics } from '../../../src/core/metrics.js';
import type { ClosedSegment } from '../../../src/journal/closed-segment.js';
import { Journal } from '../../../src/journal/journal.js';
import { type JournalOptions, journalDefaults } from '../../../src/journal/options.js';
import { type JournalRecord, RecordKind } from '../../../src/journal/record.js';
import { FaultFs } from '../../support/fault-fs.js';
import { settled, VirtualTime } from './virtual-time.js';

export const directory = '/journal';

export interface World {
  readonly fs: FaultFs;
  readonly time: VirtualTime;
  readonly metrics: Metrics;
  readonly journal: Journal;
}

/** Segments of 4 KiB header and 16 KiB records on a disk of 1 MiB that answers at once. */
export async function openWorld(
  changes: Partial<JournalOptions> = {},
  fs: FaultFs = new FaultFs(() => 0, 1024 * 1024),
): Promise<World> {
  const time = new VirtualTime();
  const metrics = createMetrics();
  const options = {
    ...journalDefaults(directory),
    segmentBytes: 20 * 1024,
    bytesMax: 1024 * 1024,
    reserveFraction: 0,
    fs,
    timers: time,
    ...changes,
  };
  const journal = await Journal.open(time, silentLogger, metrics, options);
  return { fs, time, metrics, journal };
}

export function record(text: string, kind: RecordKind = RecordKind.telemetry): JournalRecord {
  return { kind, rows: 1, bytes: Buffer.from(text), segmentNameAt: -1 };
}

/** Appends one record and tells how it was answered: 'durable' or the error's code. */
export async function appendAndWait(journal: Journal, text: string): Promise<string> {
  return await answerOf(journal, [record(text)]);
}

export function answerOf(journal: Journal, records: JournalRecord[]): Promise<string> {
  return new Promise((resolve) => {
    journal.append(records, (error: NodeError | undefined) => resolve(error?.code ?? 'durable'));
  });
}

/** The next closed segment if there is one now or by age within `ms`. */
export async function takeWithin(
  { journal, time }: World,
  ms: number,
): Promise<ClosedSegment | undefined> {
  const giveUp = new AbortController();
  const taking = journal.nextClosed(giveUp.signal);
  await time.advance(ms);
  giveUp.abort();
  return await taking;
}

export async function textsOf(
  segment: ClosedSegment,
  kind: RecordKind = RecordKind.telemetry,
): Promise<string[]> {
  const texts: string[] = [];
  for await (const payload of segment.records(kind)) texts.push(Buffer.from(payload).toString());
  return texts;
}

/** The value of a metric, summed over its labels. */
export async function metricValue(metrics: Metrics, name: string): Promise<number> {
  const found = await metrics.registry.getSingleMetric(name)?.get();
  return (found?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

/** Takes and releases everything; returns the texts of all telemetry records in order. */
export async function drain(world: World): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const segment = await takeWithin(world, 2_000);
    if (segment === undefined) return texts;
    texts.push(...(await textsOf(segment)));
    await world.journal.release(segment);
    await settled();
  }
}
