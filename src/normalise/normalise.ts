import { Sink } from '../block/sink.js';
import { assert } from '../core/assert.js';
import { messageOf } from '../core/errors.js';
import { limits } from '../core/limits.js';
import { isRejection, Outcome } from '../core/outcome.js';
import { attributeRecord } from './attributes.js';
import { arenaSlackBytes, BatchHead, BatchView, MessageKind } from './batch-layout.js';
import { scanAttributesJson, scanTelemetryJson } from './json-message.js';
import { packAttributes } from './msgpack.js';
import { scanAttributesMsgpack, scanTelemetryMsgpack } from './msgpack-message.js';
import { textBytesPerByteMax } from './msgpack-text.js';
import type { Points } from './points.js';
import { Rejections } from './rejections.js';
import type { AttributeRecord, EncodedRecord, NormaliseResult, NormaliseTask } from './result.js';
import { Scan } from './scan.js';
import { TelemetryBlock } from './telemetry-block.js';

/**
 * Text of a message beyond its own bytes: the length before a text, and the end of a look ahead.
 */
const textSlackBytes = 32;
const outputStepBytes = 256 * 1024;
/** An array is measured after each of its objects, so one object more than allowed can be held. */
const pointsPerMessage = limits.pointsPerMessageMax + limits.keysPerObjectMax;
/**
 * So many messages of one batch may each trip over a programmer error before all are given back.
 */
const faultsMax = 3;

const nothing: EncodedRecord = Object.freeze({ start: 0, bytes: 0, rows: 0, segmentNameAt: -1 });

/**
 * @hot Turns batches of payloads into the bytes of journal records. One per worker: everything it
 * keeps is scratch memory and the dictionary of keys, nothing that changes what comes out, except
 * what each device has left of its budget of rejected messages.
 *
 * No payload makes it throw. Should a programmer error throw all the same, the message that tripped
 * over it gets the outcome `overload` (nothing stored, nothing acknowledged) and the batch is done
 * again without it; if that does not help either, every message of the batch gets that outcome.
 *
 * Memory: columns of about 40 bytes for as many points as the largest batch had, at most one per
 * three bytes of its arena, twice that while they grow; an output of 44 to 53 bytes per point plus
 * the texts; the dictionary of keys, started afresh beyond 16,384 keys.
 */
export class Normaliser {
  readonly scan: Scan;
  readonly #block: TelemetryBlock;
  readonly #rejections: Rejections;
  #attributes: AttributeRecord[];
  #widened: number;

  constructor() {
    this.scan = new Scan();
    this.#block = new TelemetryBlock();
    this.#rejections = new Rejections();
    this.#attributes = [];
    this.#widened = 0;
  }

  /** Both buffers of the task come back in the result, the output perhaps as a larger one. */
  normaliseBatch(task: NormaliseTask): NormaliseResult {
    const batch = new BatchView(task.input);
    const messages = batch.head[BatchHead.rows]!;
    const faulty = new Set<number>();
    let fault: string | undefined;
    while (faulty.size <= faultsMax) {
      this.scan.row = -1;
      try {
        this.#scanMessages(batch, messages, task.nowMs, faulty);
        const result = this.#encode(task, batch, messages, fault);
        this.scan.endBatch();
        return result;
      } catch (thrown) {
        fault = `${messageOf(thrown)} (message ${this.scan.row} of ${messages})`;
        this.scan.restoreTerminated();
        // Whatever else the throw left half done is in here.
        this.scan.keys.clear();
        if (this.scan.row < 0) break;
        faulty.add(this.scan.row);
      }
    }
    this.scan.endBatch();
    batch.outcome.fill(Outcome.overload, 0, messages);
    return emptyResult(task, fault);
  }

  #scanMessages(batch: BatchView, messages: number, nowMs: number, faulty: Set<number>): void {
    const used = batch.head[BatchHead.arenaUsed]!;
    assert(messages <= limits.batchMessagesMax, 'a batch holds as many rows as its layout');
    assert(used + arenaSlackBytes <= batch.arena.length, 'the arena ends with room for the worker');
    const scan = this.scan;
    scan.beginBatch(batch, nowMs);
    this.#attributes = [];
    this.#widened = 0;
    batch.reasonOffset.fill(-1, 0, messages);
    const { kind: kinds, outcome: outcomes } = batch;
    for (let row = 0; row < messages; row += 1) {
      scan.row = row;
      const kind = kinds[row]!;
      if (faulty.size > 0 && faulty.has(row)) outcomes[row] = Outcome.overload;
      else if (kind === MessageKind.refused) {
        assert(outcomes[row] !== Outcome.accepted, 'a refused message has an outcome');
      } else {
        const outcome = this.#scanMessage(batch, row, kind, used);
        outcomes[row] = outcome;
        if (outcome !== Outcome.accepted) batch.reasonOffset[row] = scan.failedAt - scan.start;
      }
    }
    scan.row = -1;
  }

  /** Adds what one message holds, all of it or nothing. */
  #scanMessage(batch: BatchView, row: number, kind: number, used: number): number {
    const scan = this.scan;
    const { points, keys } = scan;
    const start = batch.start[row]!;
    const length = batch.length[row]!;
    const end = start + length;
    assert(end <= used, 'a message lies within the arena');
    scan.start = start;
    scan.end = end;
    scan.deviceWord = batch.device[row * 4]! | 0;
    scan.widened = 0;
    if (length === 0) {
      scan.failedAt = start;
      return Outcome.payloadEmpty;
    }
    const { count, textEnd, runs, duplicates } = points;
    const entries = keys.used.length;
    reserve(points, kind, length);
    const position = scanPayload(scan, kind);
    if (position >= 0) {
      this.#widened += scan.widened;
      if (kind === MessageKind.telemetryJson || kind === MessageKind.telemetryMsgpack) {
        return Outcome.accepted;
      }
      const record = attributeRecord(batch, row, points, keys, count, textEnd);
      if (record !== undefined) this.#attributes.push(record);
    }
    // What is refused, and what is no telemetry, leaves no trace in the points.
    points.rollBack(count, textEnd, runs, position < 0 ? duplicates : points.duplicates);
    keys.releaseEntries(entries);
    return position < 0 ? scan.outcome : Outcome.accepted;
  }

  #encode(
    task: NormaliseTask,
    batch: BatchView,
    messages: number,
    fault: string | undefined,
  ): NormaliseResult {
    const { points, keys } = this.scan;
    const rejections = this.#rejections;
    rejections.clear();
    rejections.collect(batch, messages, task.nowMs);
    const telemetryMax = points.count > 0 ? this.#block.prepare(points, keys) : 0;
    const packed = this.#attributes.length > 0 ? packAttributes(this.#attributes) : undefined;
    const packedBytes = packed?.length ?? 0;
    const bytesMax = telemetryMax + packedBytes + rejections.bytesMax + 32;
    const output = task.output.byteLength >= bytesMax ? task.output : enlarged(bytesMax);
    const sink = new Sink(new Uint8Array(output), 0);
    let telemetry = nothing;
    if (points.count > 0) {
      const nameAt = this.#block.write(sink, points, keys, batch);
      telemetry = record(0, sink.at, points.count, nameAt);
    }
    let attributes = nothing;
    if (packed !== undefined) {
      const start = align(sink);
      sink.raw(packed, 0, packedBytes);
      attributes = record(start, sink.at, this.#attributes.length, -1);
    }
    let rejected = nothing;
    if (rejections.rows > 0) {
      const start = align(sink);
      const nameAt = rejections.write(sink);
      rejected = record(start, sink.at, rejections.rows, nameAt - start);
    }
    return {
      input: task.input,
      output,
      telemetry,
      attributes,
      rejected,
      ...countOutcomes(batch, messages),
      rejectedDropped: rejections.dropped,
      integersWidened: this.#widened,
      duplicateKeys: points.duplicates,
      fault,
    };
  }
}

/** Makes room for everything the message can add, so that adding needs no checks. */
function reserve(points: Points, kind: number, length: number): void {
  // The shortest point takes three bytes, so the message's length bounds their number as well.
  const pointsMax = Math.min(length, pointsPerMessage);
  const binary = kind === MessageKind.telemetryMsgpack || kind === MessageKind.attributesMsgpack;
  const textMax = (binary ? length * textBytesPerByteMax : length) + textSlackBytes;
  if (points.hasRoom(pointsMax, textMax)) return;
  points.reserve(pointsMax, textMax);
}

/** Adds the points of the message at `scan.start`; returns its end, or -1. */
function scanPayload(scan: Scan, kind: number): number {
  if (kind === MessageKind.telemetryMsgpack) return scanTelemetryMsgpack(scan);
  if (kind === MessageKind.attributesMsgpack) return scanAttributesMsgpack(scan);
  scan.terminate();
  let position: number;
  if (kind === MessageKind.telemetryJson) position = scanTelemetryJson(scan);
  else {
    assert(kind === MessageKind.attributesJson, 'a message is of a known kind');
    position = scanAttributesJson(scan);
  }
  scan.restoreTerminated();
  return position;
}

/** A little more than asked for, so that a slightly larger batch does not ask again. */
function enlarged(bytes: number): ArrayBuffer {
  return new ArrayBuffer(Math.ceil(bytes / outputStepBytes) * outputStepBytes);
}

/** Records begin at multiples of eight, like the journal's. */
function align(sink: Sink): number {
  sink.zeros(-sink.at & 7);
  return sink.at;
}

function record(start: number, end: number, rows: number, segmentNameAt: number): EncodedRecord {
  return { start, bytes: end - start, rows, segmentNameAt };
}

function countOutcomes(
  batch: BatchView,
  messages: number,
): { messagesAccepted: number; messagesRejected: number } {
  let messagesAccepted = 0;
  let messagesRejected = 0;
  for (let row = 0; row < messages; row += 1) {
    const outcome = batch.outcome[row]!;
    if (outcome === Outcome.accepted) messagesAccepted += 1;
    else if (isRejection(outcome)) messagesRejected += 1;
  }
  return { messagesAccepted, messagesRejected };
}

function emptyResult(task: NormaliseTask, fault: string | undefined): NormaliseResult {
  return {
    input: task.input,
    output: task.output,
    telemetry: nothing,
    attributes: nothing,
    rejected: nothing,
    messagesAccepted: 0,
    messagesRejected: 0,
    rejectedDropped: 0,
    integersWidened: 0,
    duplicateKeys: 0,
    fault,
  };
}
