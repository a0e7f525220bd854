import assert from 'node:assert/strict';
import { type DeviceId, deviceWords } from '../../src/core/ids.js';
import {
  allocateBatch,
  BatchHead,
  BatchView,
  MessageKind,
  Protocol,
} from '../../src/normalise/batch-layout.js';
import { unpackAttributes } from '../../src/normalise/msgpack.js';
import { Normaliser } from '../../src/normalise/normalise.js';
import type { AttributeRecord, NormaliseResult } from '../../src/normalise/result.js';
import { type NativeBlock, type NativeColumn, readNativeBlock } from './native-block.js';

export const testDevice = 'e0a1b2c3-d4e5-4f60-8172-8394a5b6c7d8' as DeviceId;
export const testArrival = 1_700_000_000_000;

export interface TestMessage {
  readonly payload: string | Uint8Array;
  readonly kind?: MessageKind;
  readonly flags?: number;
  readonly device?: DeviceId;
  readonly receivedAt?: number;
  readonly protocol?: Protocol;
  readonly topic?: string;
  /** Preset outcome of a message of kind `refused`. */
  readonly outcome?: number;
}

export interface TestPoint {
  readonly device: string;
  readonly key: string;
  readonly ts: number;
  readonly receivedAt: number;
  readonly type: string;
  readonly num: number;
  readonly long: bigint;
  readonly text: string;
}

export interface TestResult {
  readonly result: NormaliseResult;
  readonly outcomes: number[];
  readonly offsets: number[];
  readonly points: TestPoint[];
  readonly attributes: AttributeRecord[];
  readonly rejected: NativeBlock | undefined;
  /** The arena after the worker is done with it. */
  readonly arena: Uint8Array;
}

/** Puts messages into a batch as the main thread does; the arena is as large as they need. */
export function makeBatch(messages: readonly TestMessage[], extraBytes = 0): ArrayBuffer {
  const bytes = messages.map(({ payload }) => Buffer.from(payload as Uint8Array));
  const topics = messages.map(({ topic }) => Buffer.from(topic ?? ''));
  const used = [...bytes, ...topics].reduce((sum, { length }) => sum + length, 0);
  const buffer = allocateBatch(used + extraBytes);
  const view = new BatchView(buffer);
  let at = 0;
  messages.forEach((message, row) => {
    view.receivedAt[row] = message.receivedAt ?? testArrival;
    view.device.set(deviceWords(message.device ?? testDevice), row * 4);
    view.kind[row] = message.kind ?? MessageKind.telemetryJson;
    view.flags[row] = message.flags ?? 0;
    view.protocol[row] = message.protocol ?? Protocol.mqtt;
    view.outcome[row] = message.outcome ?? 0;
    const topic = topics[row]!;
    view.topicStart[row] = at;
    view.topicLength[row] = topic.length;
    view.arena.set(topic, at);
    at += topic.length;
    view.start[row] = at;
    view.length[row] = bytes[row]!.length;
    view.arena.set(bytes[row]!, at);
    at += bytes[row]!.length;
  });
  view.head[BatchHead.rows] = messages.length;
  view.head[BatchHead.arenaUsed] = used;
  return buffer;
}

/** Runs messages through a normaliser (a new one unless given) and decodes what comes out. */
export function normalise(
  messages: readonly TestMessage[],
  normaliser: Normaliser = new Normaliser(),
  nowMs: number = testArrival,
): TestResult {
  const input = makeBatch(messages);
  const result = normaliser.normaliseBatch({ input, output: new ArrayBuffer(0), nowMs });
  const batch = new BatchView(result.input);
  const { attributes, rejected } = result;
  return {
    result,
    outcomes: [...batch.outcome.subarray(0, messages.length)],
    offsets: [...batch.reasonOffset.subarray(0, messages.length)],
    points: pointsOf(result),
    attributes:
      attributes.bytes === 0
        ? []
        : unpackAttributes(new Uint8Array(result.output, attributes.start, attributes.bytes)),
    rejected:
      rejected.bytes === 0
        ? undefined
        : readNativeBlock(new Uint8Array(result.output, rejected.start, rejected.bytes)),
    arena: batch.arena,
  };
}

/** The points of the telemetry block, in order. */
export function pointsOf(result: NormaliseResult): TestPoint[] {
  const { start, bytes, rows } = result.telemetry;
  if (bytes === 0) return [];
  const block = readNativeBlock(new Uint8Array(result.output, start, bytes));
  assert.equal(block.rows, rows);
  const fixed = (name: string): Buffer => {
    const column = columnOf(block, name);
    assert.ok(column.kind === 'bytes');
    return Buffer.from(column.bytes);
  };
  const device = fixed('device_id');
  const ts = fixed('ts');
  const receivedAt = fixed('received_at');
  const type = fixed('type');
  const num = fixed('num');
  // A block without longs beyond 2^53, or without texts, leaves their column out.
  const long = block.columns.has('long') ? fixed('long') : Buffer.alloc(rows * 8);
  const keys = textsOf(block, 'key');
  const texts = block.columns.has('text') ? textsOf(block, 'text') : keys.map(() => '');
  return keys.map((key, row) => ({
    device: uuidText(device.subarray(row * 16, row * 16 + 16)),
    key,
    ts: Number(ts.readBigInt64LE(row * 8)),
    receivedAt: Number(receivedAt.readBigInt64LE(row * 8)),
    type: ['', 'bool', 'long', 'double', 'string', 'json'][type[row]!]!,
    num: num.readDoubleLE(row * 8),
    long: long.readBigInt64LE(row * 8),
    text: texts[row]!,
  }));
}

/** The values of a String or LowCardinality(String) column. */
export function textsOf(block: NativeBlock, name: string): string[] {
  const column = columnOf(block, name);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  if (column.kind === 'strings') return column.values.map(text);
  assert.ok(column.kind === 'indexes');
  const entries = column.entries.map(text);
  return column.indexes.map((index) => entries[index]!);
}

function columnOf(block: NativeBlock, name: string): NativeColumn {
  const column = block.columns.get(name);
  assert.ok(column !== undefined, `a column ${name}`);
  return column;
}

/** Two little-endian UInt64, the first half of the text first. */
function uuidText(bytes: Uint8Array): string {
  const half = (from: number): string =>
    Buffer.from(bytes.subarray(from, from + 8))
      .reverse()
      .toString('hex');
  const hex = half(0) + half(8);
  const part = (from: number, to: number): string => hex.slice(from, to);
  return [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join('-');
}
