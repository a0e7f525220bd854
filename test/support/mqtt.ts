import { connect, type Socket } from 'node:net';
import type { Clock } from '../../src/core/clock.js';
import { limits } from '../../src/core/limits.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics, type Metrics } from '../../src/core/metrics.js';
import { MessageRates } from '../../src/device/message-rate.js';
import { Sessions } from '../../src/device/sessions.js';
import { Batcher } from '../../src/ingest/batcher.js';
import { MqttListener } from '../../src/mqtt/listener.js';
import { type MqttOptions, mqttDefaults } from '../../src/mqtt/options.js';
import type { Device } from '../../src/registry/device.js';
import { connectPacket, hex, packetLength, type Version } from './mqtt-bytes.js';
import { SettlingSink, TestCredentials, testDevice } from './mqtt-parts.js';

/** The MQTT listener for tests: real sockets and batcher, a sink that settles, a raw client. */

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

const pacing = { groupDelayMs: 0, eagerBytes: 64 * 1024, inFlightMax: 4 };

const realClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The listener's options, and the rate that the node gives to every protocol. */
export interface TestOptions extends Partial<MqttOptions> {
  readonly deviceMessagesPerSecond?: number;
  readonly deviceMessagesBurst?: number;
}

export function assembleMqtt(
  options: TestOptions = {},
  clock: Clock = realClock,
  sessionsPerDeviceMax: number = limits.sessionsPerDeviceMax,
): MqttParts {
  const { deviceMessagesPerSecond = 0, deviceMessagesBurst = 0, ...others } = options;
  const metrics = createMetrics();
  const credentials = new TestCredentials();
  const sessions = new Sessions(metrics, sessionsPerDeviceMax);
  sessions.follow(credentials);
  const sink = new SettlingSink();
  const all = { ...mqttDefaults, host: '127.0.0.1', port: 0, ...others };
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
    new MessageRates(deviceMessagesPerSecond, deviceMessagesBurst),
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
  options: TestOptions = {},
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
