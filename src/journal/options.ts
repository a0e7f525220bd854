import { limits } from '../core/limits.js';
import { createCrc32c } from './crc32c.js';
import type { Crc32c } from './crc32c-tables.js';
import type { JournalFs } from './journal-fs.js';
import { nodeFs } from './node-fs.js';
import { type JournalTimers, systemTimers } from './timers.js';

/** Everything about a journal that can differ; bytes and milliseconds. */
export interface JournalOptions {
  readonly directory: string;
  /** Size of a segment file. A larger append gets a file of its own size. */
  readonly segmentBytes: number;
  readonly segmentRowsMax: number;
  /** All segment files together, free ones included. */
  readonly bytesMax: number;
  /** Nothing is accepted while less than this share of the file system is available. */
  readonly reserveFraction: number;
  readonly quietMs: number;
  readonly busyMs: number;
  readonly freeSegmentsMax: number;
  readonly commitBytesMax: number;
  readonly queueBytesMax: number;
  readonly crc32c: Crc32c;
  readonly fs: JournalFs;
  readonly timers: JournalTimers;
}

export function journalDefaults(directory: string): JournalOptions {
  return {
    directory,
    segmentBytes: limits.segmentBytesDefault,
    segmentRowsMax: limits.segmentRowsMax,
    bytesMax: limits.journalBytesMaxDefault,
    reserveFraction: limits.diskReserveFraction,
    quietMs: limits.segmentQuietMs,
    busyMs: limits.segmentBusyMs,
    freeSegmentsMax: limits.freeSegmentsMax,
    commitBytesMax: limits.commitBytesMax,
    queueBytesMax: limits.journalQueueBytesMax,
    crc32c: createCrc32c(),
    fs: nodeFs,
    timers: systemTimers,
  };
}
