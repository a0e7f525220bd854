import { connect, type Socket } from 'node:net';
import type { Clock } from '../../src/core/clock.js';
import { type DeviceId, newDeviceId } from '../../src/core/ids.js';
import { limits } from '../../src/core/limits.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics, type Metrics } from '../../src/core/metrics.js';
import { Outcome } from '../../src/core/outcome.js';
import { Sessions } from '../../src/device/sessions.js';
import type { Batch } from '../../src/ingest/batch.js';
import { Batcher, type BatchSink } from '../../src/ingest/batcher.js';
import type { Wire } from '../../src/mqtt/connection.js';
import { MqttListener } from '../../src/mqtt/listener.js';
import { type MqttOptions, mqttDefaults } from '../../src/mqtt/options.js';
import { MessageKind } from '../../src/normalise/batch-layout.js';
import { createDevice, type Device } from '../../src/registry/device.js';

/** Parts for tests of the MQTT listener: real sockets and batcher, settled by a sink of the test. */

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

/** The parts of a listener that is not listening yet. */
export interface MqttParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly credentials: TestCredentials;
  readonly sessions: Sessions;
  readonly sink: SettlingSink;
  readonly batcher: Batcher;
  readonly listener: MqttListener;
  /** The device of the token `token`. */
  readonly device: Device;
  /** Adds a device with a token of its own. */
  addDevice(token: string, changes?: Partial<Device>): Device;
  /** Resolves when everything handed over is settled. */
  idle(): Promise<void>;
}

export interface MqttHarness extends MqttParts {
  readonly port: number;
  connect(): Promise<RawClient>;
  stop(): Promise<void>;
}

export const pacing = { groupDelayMs: 0, eagerBytes: 64 * 1024, inFlightMax: 4 };

const realClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export function assembleMqtt(
  options: Partial<MqttOptions> = {},
  clock: Clock = realClock,
  sessionsPerDeviceMax: number = limits.sessionsPerDeviceMax,
): MqttParts {
  const metrics = createMetrics();
  const credentials = new TestCredentials();
  const sessions = new Sessions(metrics, sessionsPerDeviceMax);
  sessions.follow(credentials);
  const sink = new SettlingSink();
  const all = { ...mqttDefaults, host: '127.0.0.1', port: 0, ...options };
  const batcher = new Batcher(clock, all.packetBytesMax + 2048, pacing, sink);
  sink.attach(batcher);
  const listener = new MqttListener(
    clock,
    silentLogger,
    metrics,
    all,
    batcher,
    credentials,
    sessions,
  );
  const addDevice = (token: string, changes: Partial<Device> = {}): Device => {
    const device = testDevice(`device of ${token}`, changes);
    credentials.known.set(token, device);
    sink.name(device);
    return device;
  };
  const idle = async (): Promise<void> => {
    // A batch is sealed and settled in turns of the event loop of their own.
    for (let quiet = 0; quiet < 3; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (sink.inFlight > 0) quiet = 0;
    }
  };
  return {
    clock,
    metrics,
    credentials,
    sessions,
    sink,
    batcher,
    listener,
    device: addDevice('token'),
    addDevice,
    idle,
  };
}

/** A listener on a free port with one device whose token is `token`. */
export async function startMqtt(
  options: Partial<MqttOptions> = {},
  clock: Clock = realClock,
  sessionsPerDeviceMax: number = limits.sessionsPerDeviceMax,
): Promise<MqttHarness> {
  const parts = assembleMqtt(options, clock, sessionsPerDeviceMax);
  const { port } = await parts.listener.listen();
  const clients: RawClient[] = [];
  return {
    ...parts,
    port,
    async connect() {
      const client = await RawClient.open(port);
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.destroy();
      await parts.listener.stop(0);
    },
  };
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

/** A client that sends and receives bytes and knows nothing but where a packet ends. */
export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => {};
  #ended = false;
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#ended = true;
        this.#wake();
        resolve();
      });
    });
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  /** Hexadecimal digits with any white space between them, or bytes. */
  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? hex(bytes) : bytes);
  }

  /** The next packet as hexadecimal digits; `closed` when the server ended the connection first. */
  async packet(): Promise<string> {
    for (;;) {
      const length = packetLength(this.#received);
      if (length > 0 && this.#received.length >= length) {
        const packet = this.#received.subarray(0, length).toString('hex');
        this.#received = this.#received.subarray(length);
        return packet;
      }
      if (this.#ended) return 'closed';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Everything until the server closes, as hexadecimal digits. */
  async rest(): Promise<string> {
    await this.closed;
    return this.#received.toString('hex');
  }

  /** The server has processed everything sent so far; drops what it answered before. */
  async ping(): Promise<string[]> {
    this.send('c000');
    const before: string[] = [];
    for (;;) {
      const packet = await this.packet();
      if (packet === 'd000' || packet === 'closed') return before;
      before.push(packet);
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function packetLength(bytes: Buffer): number {
  let length = 0;
  for (let index = 1; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) return 0;
    length += (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return length + index + 1;
  }
  return 0;
}

export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(/\s+/g, ''), 'hex');
}

/** A two-byte length and the text, as hexadecimal digits. */
export function text(value: string): string {
  const bytes = Buffer.from(value, 'utf8');
  return bytes.length.toString(16).padStart(4, '0') + bytes.toString('hex');
}

/** A packet from its first byte and its body, both as hexadecimal digits. */
export function packet(first: string, body: string): string {
  const compact = body.replaceAll(/\s+/g, '');
  let rest = compact.length / 2;
  let length = '';
  do {
    const byte = (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
    length += byte.toString(16).padStart(2, '0');
    rest >>= 7;
  } while (rest > 0);
  return first + length + compact;
}

export type Version = 3 | 4 | 5;
export const versions: readonly Version[] = [3, 4, 5];

/** A CONNECT with clean session, keep alive 0 and the given client identifier and user name. */
export function connectPacket(
  version: Version,
  identifier = 'client',
  username: string | undefined = 'token',
  properties = '',
): string {
  const name = version === 3 ? 'MQIsdp' : 'MQTT';
  const flags = username === undefined ? '02' : '82';
  const propertyBytes = properties.replaceAll(/\s+/g, '');
  const length = (propertyBytes.length / 2).toString(16).padStart(2, '0');
  return packet(
    '10',
    text(name) +
      `0${version}${flags}0000` +
      (version === 5 ? length + propertyBytes : '') +
      text(identifier) +
      (username === undefined ? '' : text(username)),
  );
}

/** A PUBLISH; `first` carries QoS, DUP and RETAIN. */
export function publishPacket(
  version: Version,
  first: string,
  identifier: number,
  topic: string,
  payload: string,
  properties = '00',
): string {
  const qos = (Number.parseInt(first, 16) >> 1) & 3;
  return packet(
    first,
    text(topic) +
      (qos > 0 ? identifier.toString(16).padStart(4, '0') : '') +
      (version === 5 ? properties : '') +
      Buffer.from(payload).toString('hex'),
  );
}

export const telemetry = 'v1/devices/me/telemetry';

/** Connects a session and swallows the CONNACK. */
export async function connected(
  harness: MqttHarness,
  version: Version,
  identifier = 'client',
  token = 'token',
): Promise<RawClient> {
  const client = await harness.connect();
  client.send(connectPacket(version, identifier, token));
  const connack = await client.packet();
  if (!/^20..0000/.test(connack)) throw new Error(`refused: ${connack}`);
  return client;
}

/** The value of one labelled metric. */
export async function metricValue(
  metric: { get(): Promise<{ values: { labels: object; value: number }[] }> },
  labels: Record<string, string> = {},
): Promise<number> {
  const { values } = await metric.get();
  let sum = 0;
  for (const value of values) {
    const own = value.labels as Record<string, unknown>;
    if (Object.entries(labels).every(([name, text]) => own[name] === text)) sum += value.value;
  }
  return sum;
}

/** Accepted outcome, for tests that list outcomes. */
export const accepted = Outcome.accepted;
