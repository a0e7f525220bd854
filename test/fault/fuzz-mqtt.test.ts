import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  connected,
  type MqttHarness,
  metricValue,
  type RawClient,
  startMqtt,
} from '../support/mqtt.js';
import {
  connectPacket,
  hex,
  packet,
  publishPacket,
  telemetry,
  text,
  type Version,
  versions,
} from '../support/mqtt-bytes.js';
import { MemoryWire } from '../support/mqtt-parts.js';
import { Random } from '../support/random.js';

/**
 * A million mutated packets, before CONNECT and in the middle of sessions, whole and cut: the node
 * does not stumble, its memory stays flat, and an honest client is served meanwhile.
 */
const framesTotal = 1_000_000;
const socketFramesTotal = 20_000;
const framesPerTurn = 100;

const random = new Random();
let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt({ receiveMaximum: 1000 });
  mqtt.sink.keep = false;
  mqtt.addDevice('gateway', { gateway: true });
  mqtt.addDevice('honest');
});
after(async () => {
  await mqtt.stop();
});

/** Well-formed packets of one version, to be damaged. */
function corpus(version: Version): Buffer[] {
  const properties = version === 5 ? '00' : '';
  const will = `${properties} ${text('v2/t')} ${text('{}')}`;
  const name = text(version === 3 ? 'MQIsdp' : 'MQTT');
  const head = `${name} 0${version}`;
  const packets = [
    connectPacket(version),
    packet(
      '10',
      `${head} c6 003c ${properties} ${text('w')} ${will} ${text('token')} ${text('p')}`,
    ),
    ...['30', '31', '32', '3a', '34', '3c'].flatMap((first) => [
      publishPacket(version, first, 1, telemetry, '{"temperature":25.31,"n":1}'),
      publishPacket(version, first, 2, 'v2/a', '{}'),
      publishPacket(version, first, 3, 'v1/gateway/telemetry', '{"A":[{}]}'),
      publishPacket(version, first, 4, 'some/other/topic', 'x'.repeat(200)),
    ]),
    packet('82', `0001 ${properties} ${text('v1/devices/me/rpc/request/+')} 01 ${text('#')} 00`),
    packet('a2', `0002 ${properties} ${text('#')} ${text('v2/a')}`),
    '40020001',
    '50020001',
    '62020001',
    '70020001',
    'c000',
    'e000',
    'f000',
    '20020000',
  ];
  if (version === 5) {
    packets.push(
      connectPacket(5, 'p', 'token', `11 00000001 21 0005 27 00001000 22 0003 17 00 19 01`),
      publishPacket(5, '32', 5, telemetry, '{}', '03 23 0001'.replaceAll(' ', '')),
      publishPacket(5, '32', 6, '', '{}', '03 23 0001'.replaceAll(' ', '')),
      publishPacket(5, '34', 7, 'v2/t', '{}', `09 01 01 26 0001 61 0001 62`.replaceAll(' ', '')),
      packet('62', '0001 00 04 1f 0001 78'),
      packet('e0', '04 05 11 00000000'),
      packet('f0', `18 06 15 ${text('abc')}`),
    );
  }
  return packets.map(hex);
}

const corpora = new Map(versions.map((version) => [version, corpus(version)]));

function pick<T>(list: readonly T[]): T {
  const item = list[random.between(0, list.length - 1)];
  assert.ok(item !== undefined);
  return item;
}

const interesting = [0, 1, 2, 3, 4, 0x0f, 0x23, 0x26, 0x2b, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xff];

function flipBit(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
}

function mutate(frame: Buffer, others: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(frame);
  const at = (): number => random.between(0, Math.max(0, bytes.length - 1));
  for (let times = random.between(1, 3); times > 0; times--) {
    switch (random.between(0, 9)) {
      case 0:
        flipBit(bytes, at());
        break;
      case 1:
        bytes[at()] = pick(interesting);
        break;
      case 2:
        bytes[at()] = random.between(0, 255);
        break;
      case 3: // The header, where most is decided.
        bytes[random.between(0, Math.min(4, bytes.length - 1))] = pick(interesting);
        break;
      case 4: {
        const where = at();
        const added = Buffer.from(
          Array.from({ length: random.between(1, 8) }, () => pick(interesting)),
        );
        bytes = Buffer.concat([bytes.subarray(0, where), added, bytes.subarray(where)]);
        break;
      }
      case 5: {
        const where = at();
        const to = Math.min(bytes.length, where + random.between(1, 8));
        bytes = Buffer.concat([bytes.subarray(0, where), bytes.subarray(to)]);
        break;
      }
      case 6:
        bytes = Buffer.from(bytes.subarray(0, at()));
        break;
      case 7: {
        const other = pick(others);
        const cut = random.between(0, other.length);
        bytes = Buffer.concat([bytes.subarray(0, at()), other.subarray(cut)]);
        break;
      }
      case 8: // The declared length follows the real one, so that the body is looked at.
        if (bytes.length >= 2 && bytes.length < 130) bytes[1] = bytes.length - 2;
        break;
      default:
        break;
    }
    if (bytes.length === 0) return Buffer.of(pick(interesting));
  }
  return bytes;
}

/** One session over a memory wire: frames until it ends or 50 are sent. Returns how many were. */
function session(version: Version): number {
  const frames = corpora.get(version) ?? [];
  const wire = new MemoryWire();
  const carrier = mqtt.listener.attach(wire);
  assert.ok(carrier !== undefined);
  // A quarter of the sessions never sees a good CONNECT.
  const token = random.between(0, 9) === 0 ? 'gateway' : 'token';
  if (random.between(0, 3) > 0) {
    carrier.receive(hex(connectPacket(version, `c${random.between(0, 9)}`, token)));
  }
  let sent = 0;
  while (sent < 50 && !wire.ended) {
    const good = random.between(0, 2) === 0;
    const frame = good ? pick(frames) : mutate(pick(frames), frames);
    sent += 1;
    switch (random.between(0, 3)) {
      case 0:
        for (const byte of frame) carrier.receive(Buffer.of(byte));
        break;
      case 1: {
        const cut = random.between(0, frame.length);
        if (cut > 0) carrier.receive(frame.subarray(0, cut));
        if (cut < frame.length) carrier.receive(frame.subarray(cut));
        break;
      }
      default:
        carrier.receive(frame);
    }
  }
  carrier.closed();
  return sent;
}

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** Bytes in use and resident, after a garbage collection. */
function memory(): { used: number; resident: number } {
  assert.ok(typeof collect === 'function');
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { used: heapUsed + external, resident: rss };
}

/** Publishes one message after the other until told to stop; returns how long each took, ms. */
async function honestly(client: RawClient, running: () => boolean): Promise<number[]> {
  const times: number[] = [];
  for (let identifier = 1; running(); identifier = (identifier % 65_535) + 1) {
    const since = performance.now();
    client.send(publishPacket(4, '32', identifier, telemetry, '{"honest":1}'));
    assert.equal(await client.packet(), `4002${identifier.toString(16).padStart(4, '0')}`);
    times.push(performance.now() - since);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return times.sort((a, b) => a - b);
}

async function checkUnharmed(): Promise<void> {
  const { connectionsClosed, connections } = mqtt.metrics;
  assert.equal(await metricValue(connectionsClosed, { reason: 'internalError' }), 0);
  await mqtt.idle();
  assert.equal(mqtt.sink.inFlight, 0);
  assert.equal(mqtt.sessions.count, 1, 'the honest one');
  assert.equal(await metricValue(connections), 1);
}

test(`${framesTotal} mutated packets`, { timeout: 300_000 }, async (t) => {
  t.diagnostic(`seed ${random.seed}`);
  const client = await connected(mqtt, 4, 'honest', 'honest');
  let running = true;
  const served = honestly(client, () => running);
  let frames = 0;
  const turn = async (): Promise<void> => {
    for (let now = 0; now < framesPerTurn; ) now += session(pick(versions));
    frames += framesPerTurn;
    await new Promise((resolve) => setImmediate(resolve));
  };
  // The first fifth warms up: code, pools, the heap's size.
  while (frames < framesTotal / 5) await turn();
  const before = memory();
  while (frames < framesTotal) await turn();
  const end = memory();
  const used = end.used - before.used;
  const resident = end.resident - before.resident;
  running = false;
  const times = await served;
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  t.diagnostic(`in use +${megabytes(used)} MB, resident +${megabytes(resident)} MB`);
  t.diagnostic(`honest p99 ${p99.toFixed(1)} ms`);
  assert.ok(used < 8_000_000, `${used} bytes, seed ${random.seed}`);
  assert.ok(resident < 32_000_000, `${resident} bytes, seed ${random.seed}`);
  assert.ok(times.length > 100);
  assert.ok(p99 < 250, `${p99} ms, seed ${random.seed}`);
  await checkUnharmed();
  client.destroy();
});

test(`${socketFramesTotal} mutated packets over sockets`, { timeout: 120_000 }, async (t) => {
  t.diagnostic(`seed ${random.seed}`);
  const honest = await connected(mqtt, 4, 'honest', 'honest');
  let running = true;
  const served = honestly(honest, () => running);
  for (let frames = 0; frames < socketFramesTotal; ) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => mqtt.connect()));
    for (const client of clients) {
      const version = pick(versions);
      const known = corpora.get(version) ?? [];
      client.send(connectPacket(version, `s${random.between(0, 99)}`));
      for (let sent = 0; sent < 20; sent++) {
        const good = random.between(0, 2) === 0;
        client.send(good ? pick(known) : mutate(pick(known), known));
      }
      frames += 20;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const client of clients) client.destroy();
    await Promise.all(clients.map((client) => client.closed));
  }
  running = false;
  await served;
  while ((await metricValue(mqtt.metrics.connections)) > 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await checkUnharmed();
  honest.destroy();
});
