/**
 * The scanner beside mqtt-packet, on the same 64 KiB of publishes:
 *
 *     scan          frames found, rows added, one copy into the arena, per protocol version and QoS
 *     scan, 1       one message per call, as devices send
 *     mqtt-packet   the library's own parser, every packet an object, nothing else done
 *     rare path     our strict check, mqtt-packet, then the row: a message with properties
 *
 *     node dist/bench/micro/mqtt-scan.js [--quick] [--json]
 */
import { parser } from 'mqtt-packet';
import { Bench } from 'tinybench';
import { systemClock } from '../../src/core/clock.js';
import { newDeviceId } from '../../src/core/ids.js';
import { limits } from '../../src/core/limits.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { MessageRates } from '../../src/device/message-rate.js';
import { Sessions } from '../../src/device/sessions.js';
import { Batch } from '../../src/ingest/batch.js';
import { handlePacket } from '../../src/mqtt/channel.js';
import { Connection } from '../../src/mqtt/connection.js';
import { ConnectionState } from '../../src/mqtt/connection-state.js';
import { encodePublish } from '../../src/mqtt/encode.js';
import { Hub } from '../../src/mqtt/hub.js';
import { mqttDefaults } from '../../src/mqtt/options.js';
import { scan } from '../../src/mqtt/scan.js';
import { createDevice } from '../../src/registry/device.js';

const quick = process.argv.includes('--quick');
const payload = Buffer.from('{"temperature":25.31,"humidity":64.2,"n":123}');
const topic = 'v1/devices/me/telemetry';

/** Batches that are never handed over: a full one is emptied and the next one is opened. */
class EndlessBatches {
  readonly #batches: Batch[];
  #index = 0;

  constructor() {
    this.#batches = Array.from({ length: 3 }, () => new Batch(limits.batchArenaBytes));
  }

  open(bytes: number): Batch {
    const batch = this.#current();
    const room = batch.arenaBytes - batch.arenaUsed >= bytes;
    if (room && batch.rows < limits.batchMessagesMax) return batch;
    this.#index = (this.#index + 1) % this.#batches.length;
    this.#current().reset();
    return this.#current();
  }

  submit(): void {}
  whenRoom(): void {}
  onSettled(): void {}

  #current(): Batch {
    const batch = this.#batches[this.#index];
    if (batch === undefined) throw new RangeError('there are three batches');
    return batch;
  }
}

const clock = systemClock();
const metrics = createMetrics();
const credentials = { peekToken: () => null, resolveToken: () => Promise.resolve(null) };
const hub = new Hub(
  clock,
  silentLogger,
  metrics,
  mqttDefaults,
  new EndlessBatches(),
  credentials,
  new Sessions(metrics, limits.sessionsPerDeviceMax),
  new MessageRates(0, 0),
);
const device = createDevice({
  id: newDeviceId(),
  name: 'bench',
  profile: 'default',
  label: '',
  enabled: true,
  gateway: false,
  normaliseFlags: 0,
});
const wire = {
  writableLength: 0,
  write: () => true,
  end: () => {},
  destroy: () => {},
  pause: () => {},
  resume: () => {},
  setKeepAlive: () => {},
};

function connection(version: number): Connection {
  const made = new Connection(wire, hub);
  made.state = ConnectionState.connected;
  made.version = version;
  made.device = device;
  return made;
}

/** As many copies of the packet as fit into one read. */
function chunkOf(packet: Buffer): { bytes: Buffer; view: DataView; packets: number } {
  const packets = Math.floor(limits.readBufferBytes / packet.length);
  const bytes = Buffer.allocUnsafeSlow(packets * packet.length);
  for (let index = 0; index < packets; index++) packet.copy(bytes, index * packet.length);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset), packets };
}

const bench = new Bench({ time: quick ? 200 : 1000, warmupTime: quick ? 100 : 500 });
/** Messages per call of each task, to turn calls into messages. */
const messages = new Map<string, number>();

function add(name: string, perCall: number, task: () => void): void {
  messages.set(name, perCall);
  bench.add(name, task);
}

for (const version of [4, 5] as const) {
  for (const qos of [0, 1] as const) {
    const packet = encodePublish(version, topic, payload, qos, 7);
    const { bytes, view, packets } = chunkOf(packet);
    const client = connection(version);
    const label = `v${version} QoS ${qos}`;
    add(`scan ${label}`, packets, () => {
      client.unsettled = 0;
      scan(hub, client, bytes, view, 0, bytes.length);
    });
    add(`scan, 1 ${label}`, 1, () => {
      client.unsettled = 0;
      scan(hub, client, bytes, view, 0, packet.length);
    });
    const library = parser({ protocolVersion: version });
    library.on('packet', () => {});
    add(`mqtt-packet ${label}`, packets, () => {
      library.parse(bytes);
    });
    const headerBytes = 2;
    const rare = connection(version);
    add(`rare path ${label}`, 1, () => {
      rare.unsettled = 0;
      handlePacket(hub, rare, packet, headerBytes);
    });
  }
}

await bench.run();
const rows = bench.tasks.map(({ name, result }) => {
  const mean = 'latency' in result ? result.latency.mean : Number.NaN;
  return { name, nanoseconds: (mean * 1e6) / (messages.get(name) ?? 1) };
});
for (const { name, nanoseconds } of rows) {
  console.log(`${name.padEnd(24)} ${nanoseconds.toFixed(1).padStart(10)} ns a message`);
}
if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
