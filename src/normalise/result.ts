/**
 * What a worker hands back for one batch, and the task it was given. Both buffers are transferred
 * in both directions, so nothing is copied and the main thread recycles them.
 */
export interface NormaliseTask {
  /** A batch, see batch-layout.ts. */
  readonly input: ArrayBuffer;
  /** Room for the encoded records; the worker replaces it by a larger one when it is too small. */
  readonly output: ArrayBuffer;
  /** Wall clock, for `rejectFutureTimestamps`, `clampTimestamps` and the rejection budget. */
  readonly nowMs: number;
}

/** One journal record's worth of bytes inside `output`; `bytes` is 0 when there are no rows. */
export interface EncodedRecord {
  readonly start: number;
  readonly bytes: number;
  readonly rows: number;
  /**
   * Offset from `start` of the 20 ASCII bytes that name the journal segment (one dictionary entry
   * of the LowCardinality column `segment`). The journal writes them when it places the record.
   */
  readonly segmentNameAt: number;
}

export interface NormaliseResult {
  readonly input: ArrayBuffer;
  readonly output: ArrayBuffer;
  /** Native block for the table `telemetry`. */
  readonly telemetry: EncodedRecord;
  /** msgpackr bytes, see `AttributeRecord`; `segmentNameAt` is -1. */
  readonly attributes: EncodedRecord;
  /** Native block for the table `rejected`. */
  readonly rejected: EncodedRecord;
  /** Messages accepted, including those that store nothing (`{}`, `[]`). */
  readonly messagesAccepted: number;
  readonly messagesRejected: number;
  /** Rejected messages that were over the per-device budget and are only counted. */
  readonly rejectedDropped: number;
  /** Integer literals beyond int64, stored as double. */
  readonly integersWidened: number;
  /** Keys of a message that were overwritten by a later duplicate in the same object. */
  readonly duplicateKeys: number;
  /**
   * What a programmer error in the worker said, else undefined. The messages it concerns have the
   * outcome `overload` and are in none of the records: never acknowledged, never half stored.
   */
  readonly fault: string | undefined;
}

/** Length of a journal segment's name, see `EncodedRecord.segmentNameAt`. */
export const segmentNameBytes = 20;

/** Value types as stored: the numbers of the Enum8 column `type`. */
export const ValueType = { bool: 1, long: 2, double: 3, string: 4, json: 5 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/**
 * Client attributes of one message, as msgpackr packs them in an attributes record (an array of
 * these): `[device id (text), receivedAtMs, [key, type, value] …]` where value is a boolean, a
 * bigint (long), a number (double) or a string (string, json text).
 */
export type AttributeRecord = readonly [
  device: string,
  receivedAt: number,
  values: ReadonlyArray<readonly [key: string, type: ValueType, value: AttributeValue]>,
];
export type AttributeValue = boolean | bigint | number | string;
