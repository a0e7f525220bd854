import { limits } from '../core/limits.js';

/**
 * The bytes of a batch: what the main thread hands to a worker in one transferred ArrayBuffer.
 *
 *     ┌ head ┬ receivedAt ┬ device ┬ start ┬ length ┬ topicStart ┬ reasonOffset ┬ … ┬ arena ┐
 *     │ u32  │ f64 / row  │ 4×u32  │ u32   │ u32    │ u32        │ i32          │   │ bytes │
 *     └──────┴────────────┴────────┴───────┴────────┴────────────┴──────────────┴───┴───────┘
 *
 * One row is one message; there is no object per message. `start` and `topicStart` are offsets into
 * the arena. The worker writes `outcome` and `reasonOffset`; everything else is the main thread's.
 */
export const MessageKind = {
  telemetryJson: 0,
  telemetryMsgpack: 1,
  attributesJson: 2,
  attributesMsgpack: 3,
  /** Refused by the protocol already; `outcome` is preset. Only goes to the table `rejected`. */
  refused: 4,
} as const;
export type MessageKind = (typeof MessageKind)[keyof typeof MessageKind];

export const Protocol = { mqtt: 0, http: 1, coap: 2, lwm2m: 3 } as const;
export type Protocol = (typeof Protocol)[keyof typeof Protocol];
export const protocolNames: readonly string[] = Object.freeze(['mqtt', 'http', 'coap', 'lwm2m']);

/** What the device profile says about values, as bits of one byte. */
export const NormaliseFlag = {
  castNumericStrings: 1,
  rejectFutureTimestamps: 2,
  clampTimestamps: 4,
} as const;

const rows = limits.batchMessagesMax;
const headWords = 16;

/** Byte offsets inside the batch's ArrayBuffer; 8-byte aligned where a 64-bit view starts. */
const batchOffsets = Object.freeze({
  head: 0,
  receivedAt: headWords * 4,
  device: headWords * 4 + rows * 8,
  start: headWords * 4 + rows * 24,
  length: headWords * 4 + rows * 28,
  topicStart: headWords * 4 + rows * 32,
  reasonOffset: headWords * 4 + rows * 36,
  topicLength: headWords * 4 + rows * 40,
  kind: headWords * 4 + rows * 42,
  flags: headWords * 4 + rows * 43,
  protocol: headWords * 4 + rows * 44,
  outcome: headWords * 4 + rows * 45,
  arena: headWords * 4 + rows * 48,
});

/**
 * Bytes behind the arena that only the worker uses: a terminator behind the last message, and room
 * for a look ahead of one word.
 */
export const arenaSlackBytes = 8;

/** Words of the head. */
export const BatchHead = { rows: 0, arenaUsed: 1, arenaBytes: 2 } as const;

/** The views over one batch buffer; made once per hand-over, never per message. */
export class BatchView {
  readonly buffer: ArrayBuffer;
  readonly head: Uint32Array;
  /** Wall clock at arrival, milliseconds since 1970, whole. */
  readonly receivedAt: Float64Array;
  /** The device's UUID as four words, see `deviceWords` in core/ids.ts. */
  readonly device: Uint32Array;
  /** The same bytes, two halves a row. */
  readonly deviceHalves: Float64Array;
  readonly start: Uint32Array;
  readonly length: Uint32Array;
  readonly topicStart: Uint32Array;
  readonly topicLength: Uint16Array;
  /** Byte of the payload that is at fault, or -1. */
  readonly reasonOffset: Int32Array;
  readonly kind: Uint8Array;
  readonly flags: Uint8Array;
  readonly protocol: Uint8Array;
  readonly outcome: Uint8Array;
  readonly arena: Uint8Array;

  constructor(buffer: ArrayBuffer) {
    const at = batchOffsets;
    this.buffer = buffer;
    this.head = new Uint32Array(buffer, at.head, headWords);
    this.receivedAt = new Float64Array(buffer, at.receivedAt, rows);
    this.device = new Uint32Array(buffer, at.device, rows * 4);
    this.deviceHalves = new Float64Array(buffer, at.device, rows * 2);
    this.start = new Uint32Array(buffer, at.start, rows);
    this.length = new Uint32Array(buffer, at.length, rows);
    this.topicStart = new Uint32Array(buffer, at.topicStart, rows);
    this.topicLength = new Uint16Array(buffer, at.topicLength, rows);
    this.reasonOffset = new Int32Array(buffer, at.reasonOffset, rows);
    this.kind = new Uint8Array(buffer, at.kind, rows);
    this.flags = new Uint8Array(buffer, at.flags, rows);
    this.protocol = new Uint8Array(buffer, at.protocol, rows);
    this.outcome = new Uint8Array(buffer, at.outcome, rows);
    this.arena = new Uint8Array(buffer, at.arena);
  }
}

/** A new batch buffer whose arena holds `arenaBytes`. */
export function allocateBatch(arenaBytes: number): ArrayBuffer {
  const buffer = new ArrayBuffer(batchOffsets.arena + arenaBytes + arenaSlackBytes);
  new Uint32Array(buffer, 0, headWords)[BatchHead.arenaBytes] = arenaBytes;
  return buffer;
}
