import {
  blockHeader,
  columnOverheadMax,
  dateTime64Column,
  lowCardinalityColumn,
  placeholderColumn,
  stringColumn,
  uuidColumn,
} from '../block/columns.js';
import { Sink } from '../block/sink.js';
import { limits } from '../core/limits.js';
import { isRejection, outcomeReason } from '../core/outcome.js';
import { type BatchView, protocolNames } from './batch-layout.js';
import { RejectionBudget } from './rejection-budget.js';
import { segmentNameBytes } from './result.js';

const columns = 7;
const rowBytes = 16 + 8 + 1 + 1;
const rowsInitial = 64;

/**
 * Collects the rejected messages of a batch that an operator may see and encodes them as a block of
 * the table `rejected`. Texts are raw bytes: what was sent may be no valid UTF-8.
 */
export class Rejections {
  rows: number;
  dropped: number;
  readonly #budget: RejectionBudget;
  #device: Uint32Array;
  #receivedAt: Uint32Array;
  #protocol: Uint8Array;
  readonly #topic: Texts;
  readonly #reason: Texts;
  readonly #payload: Texts;
  readonly #protocols: Sink;

  constructor() {
    this.rows = 0;
    this.dropped = 0;
    this.#budget = new RejectionBudget();
    this.#device = new Uint32Array(rowsInitial * 4);
    this.#receivedAt = new Uint32Array(rowsInitial * 2);
    this.#protocol = new Uint8Array(rowsInitial);
    this.#topic = new Texts();
    this.#reason = new Texts();
    this.#payload = new Texts();
    this.#protocols = new Sink(new Uint8Array(64), 0);
    for (const name of protocolNames) this.#protocols.ascii(name);
  }

  /** Forgets the last batch; what devices have left of their minute stays. */
  clear(): void {
    this.rows = 0;
    this.dropped = 0;
    this.#topic.bytes = 0;
    this.#reason.bytes = 0;
    this.#payload.bytes = 0;
  }

  /** Goes through the outcomes of a batch, once they are final. */
  collect(batch: BatchView, messages: number, nowMs: number): void {
    for (let message = 0; message < messages; message += 1) {
      if (!isRejection(batch.outcome[message]!)) continue;
      if (this.#budget.take(batch.device, message * 4, nowMs)) this.#add(batch, message);
      else this.dropped += 1;
    }
  }

  /** Upper bound of the bytes that `write` needs. */
  get bytesMax(): number {
    const texts = this.#topic.bytes + this.#reason.bytes + this.#payload.bytes;
    return 16 + (columns + 1) * columnOverheadMax + this.rows * rowBytes + texts;
  }

  /** Writes the block; returns where in the sink the name of the segment belongs. */
  write(sink: Sink): number {
    const rows = this.rows;
    blockHeader(sink, columns, rows);
    uuidColumn(sink, 'device_id', this.#device, rows);
    dateTime64Column(sink, 'received_at', this.#receivedAt, rows);
    const { bytes, at } = this.#protocols;
    lowCardinalityColumn(
      sink,
      'protocol',
      bytes,
      at,
      protocolNames.length,
      this.#protocol,
      1,
      rows,
    );
    stringColumn(sink, 'topic', this.#topic.encoded, this.#topic.bytes);
    stringColumn(sink, 'reason', this.#reason.encoded, this.#reason.bytes);
    stringColumn(sink, 'payload', this.#payload.encoded, this.#payload.bytes);
    return placeholderColumn(sink, 'segment', segmentNameBytes, rows);
  }

  #add(batch: BatchView, message: number): void {
    const row = this.rows;
    if (row === this.#protocol.length) this.#grow();
    this.#device.set(batch.device.subarray(message * 4, message * 4 + 4), row * 4);
    const receivedAt = batch.receivedAt[message]!;
    this.#receivedAt[row * 2] = receivedAt % 2 ** 32;
    this.#receivedAt[row * 2 + 1] = Math.floor(receivedAt / 2 ** 32);
    this.#protocol[row] = batch.protocol[message]!;
    const topicAt = batch.topicStart[message]!;
    this.#topic.add(batch.arena, topicAt, topicAt + batch.topicLength[message]!);
    const reason = Buffer.from(
      outcomeReason(batch.outcome[message]!, batch.reasonOffset[message]!),
      'utf8',
    );
    this.#reason.add(reason, 0, reason.length);
    const start = batch.start[message]!;
    const kept = Math.min(batch.length[message]!, limits.rejectedPayloadBytesMax);
    this.#payload.add(batch.arena, start, start + kept);
    this.rows = row + 1;
  }

  #grow(): void {
    const rows = this.#protocol.length * 2;
    const device = new Uint32Array(rows * 4);
    device.set(this.#device);
    this.#device = device;
    const receivedAt = new Uint32Array(rows * 2);
    receivedAt.set(this.#receivedAt);
    this.#receivedAt = receivedAt;
    const protocol = new Uint8Array(rows);
    protocol.set(this.#protocol);
    this.#protocol = protocol;
  }
}

/** Encoded Strings, one after the other. */
class Texts {
  encoded: Uint8Array;
  bytes: number;

  constructor() {
    this.encoded = new Uint8Array(8 * 1024);
    this.bytes = 0;
  }

  add(source: Uint8Array, from: number, to: number): void {
    const needed = this.bytes + (to - from) + 5;
    if (needed > this.encoded.length) {
      const larger = new Uint8Array(Math.max(needed, this.encoded.length * 2));
      larger.set(this.encoded.subarray(0, this.bytes));
      this.encoded = larger;
    }
    const sink = new Sink(this.encoded, this.bytes);
    sink.varint(to - from);
    sink.raw(source, from, to);
    this.bytes = sink.at;
  }
}
