import type { Clock } from '../../src/core/clock.js';
import { type DeviceId, newDeviceId } from '../../src/core/ids.js';
import type { Batch } from '../../src/ingest/batch.js';
import type { Batcher, BatchSink } from '../../src/ingest/batcher.js';
import type { Wire } from '../../src/mqtt/wire.js';
import { MessageKind } from '../../src/normalise/batch-layout.js';
import { createDevice, type Device } from '../../src/registry/device.js';
import { packetLength } from './mqtt-bytes.js';

/** What stands around the MQTT listener in its tests: clock, credentials, sink, wire. */

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  wall = 1_700_000_000_000;
  elapsed = 1_000;

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.elapsed;
  }

  advance(milliseconds: number): void {
    this.wall += milliseconds;
    this.elapsed += milliseconds;
  }
}

export function testDevice(name: string, changes: Partial<Device> = {}): Device {
  return createDevice({
    id: newDeviceId(),
    name,
    profile: 'default',
    label: '',
    enabled: true,
    gateway: false,
    normaliseFlags: 0,
    ...changes,
  });
}

type ChangeListener = (id: DeviceId, device: Device | undefined, credentials: boolean) => void;

/** Credentials in a map; tokens in `cold` are only known to `resolveToken`, after `release`. */
export class TestCredentials {
  readonly known = new Map<string, Device>();
  readonly cold = new Map<string, Device>();
  failing = false;
  asked = 0;
  askedAtOnceMax = 0;
  #underWay = 0;
  #gate: Promise<void> = Promise.resolve();
  readonly #listeners: ChangeListener[] = [];

  peekToken(token: string): Device | null | undefined {
    const device = this.known.get(token);
    if (device !== undefined) return device;
    return this.cold.has(token) || this.failing ? undefined : null;
  }

  async resolveToken(token: string): Promise<Device | null> {
    this.asked += 1;
    this.#underWay += 1;
    this.askedAtOnceMax = Math.max(this.askedAtOnceMax, this.#underWay);
    await this.#gate;
    this.#underWay -= 1;
    if (this.failing) throw new Error('registry away');
    return this.known.get(token) ?? this.cold.get(token) ?? null;
  }

  /** Look-ups wait until the returned function is called. */
  block(): () => void {
    let open: () => void = () => {};
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  change(device: Device, state: Device | undefined, credentials: boolean): void {
    for (const listener of this.#listeners) listener(device.id, state, credentials);
  }
}

/** One message as the sink saw it. */
export interface SeenMessage {
  readonly device: string;
  readonly kind: MessageKind;
  readonly topic: string;
  readonly payload: string;
  readonly acknowledged: boolean;
  readonly outcome: number;
}

/**
 * Takes batches as the pipeline does and settles them in order: at once, or after `hold`. A payload
 * that starts with `!` settles to the outcome whose number follows, e.g. `!65`.
 */
export class SettlingSink implements BatchSink {
  readonly seen: SeenMessage[] = [];
  /** Messages are counted only, for tests with very many. */
  keep = true;
  messages = 0;
  inFlight = 0;
  readonly #names = new Map<string, string>();
  #batcher: Batcher | undefined;
  readonly #waiting: Batch[] = [];
  #held = false;

  attach(batcher: Batcher): void {
    this.#batcher = batcher;
  }

  name(device: Device): void {
    this.#names.set(device.words.join(), device.name);
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    for (const batch of this.#waiting.splice(0)) this.#settle(batch);
  }

  /** Settles the oldest batch only. */
  releaseOne(): void {
    const batch = this.#waiting.shift();
    if (batch !== undefined) this.#settle(batch);
  }

  take(batch: Batch): void {
    this.inFlight += 1;
    this.#waiting.push(batch);
    setImmediate(() => {
      if (this.#held) return;
      for (const next of this.#waiting.splice(0)) this.#settle(next);
    });
  }

  #settle(batch: Batch): void {
    for (let row = 0; row < batch.rows; row++) {
      const outcome = this.keep ? this.#see(batch, row) : batch.view.outcome[row]!;
      batch.origins[row]?.settle(batch.refs[row]!, outcome, outcome === 1 ? 3 : -1);
    }
    this.messages += batch.rows;
    this.inFlight -= 1;
    this.#batcher?.recycle(batch);
  }

  #see(batch: Batch, row: number): number {
    const view = batch.view;
    const text = (start: number, length: number): string =>
      Buffer.from(view.arena.slice(start, start + length)).toString('utf8');
    const payload = text(view.start[row]!, view.length[row]!);
    const topic = text(view.topicStart[row]!, view.topicLength[row]!);
    const kind = view.kind[row] as MessageKind;
    const words = view.device.slice(row * 4, row * 4 + 4).join();
    let outcome: number = view.outcome[row]!;
    if (kind !== MessageKind.refused && payload.startsWith('!')) outcome = Number(payload.slice(1));
    this.seen.push({
      device: this.#names.get(words) ?? words,
      kind,
      topic,
      payload,
      acknowledged: batch.origins[row] !== undefined,
      outcome,
    });
    return outcome;
  }
}

/** A wire without a socket: what was written, and what it was told. */
export class MemoryWire implements Wire {
  /** Set by a test to look like a peer that does not read. */
  writableLength = 0;
  readonly written: Buffer[] = [];
  paused = false;
  ended = false;
  destroyed = false;

  write(bytes: Uint8Array): boolean {
    // The node may use the same bytes again after a write that did not have to wait.
    this.written.push(Buffer.from(bytes));
    return true;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  setKeepAlive(): void {}

  /** The packets written so far, as hexadecimal digits. */
  packets(): string[] {
    const packets: string[] = [];
    let rest = Buffer.concat(this.written);
    while (rest.length > 0) {
      const length = packetLength(rest);
      if (length === 0 || length > rest.length) throw new Error('half a packet was written');
      packets.push(rest.subarray(0, length).toString('hex'));
      rest = rest.subarray(length);
    }
    return packets;
  }
}
