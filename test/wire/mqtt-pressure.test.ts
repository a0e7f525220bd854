import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { limits } from '../../src/core/limits.js';
import type { Carrier } from '../../src/mqtt/listener.js';
import { connected, metricValue, type RawClient, startMqtt } from '../support/mqtt.js';
import {
  connectPacket,
  hex,
  packet,
  publishPacket,
  telemetry,
  text,
  versions,
} from '../support/mqtt-bytes.js';
import { ManualClock, MemoryWire } from '../support/mqtt-parts.js';

// Full batches, slow readers, rates, halves of packets: nothing is lost, nothing grows.

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${index}}`);
}

test('with every batch busy reading stops; nothing is lost and the order is kept', async () => {
  for (const sharedReadBuffer of [true, false]) {
    const mqtt = await startMqtt({ sharedReadBuffer });
    mqtt.sink.hold();
    const count = 60_000; // More than the batches hold: 8 × 4,096.
    const clients = await Promise.all(
      versions.map((version) => connected(mqtt, version, `${version}`)),
    );
    clients.forEach((client, index) => {
      const version = versions[index] ?? 4;
      mqtt.addDevice(`${version}`);
      const sent = numbers(count).map((payload) =>
        publishPacket(version, '30', 0, 'v2/t', payload.replace('{', `{"v":${version},`)),
      );
      client.send(sent.join(''));
    });
    await waitFor(() => mqtt.sink.inFlight === limits.batchesMax);
    await sleep(50);
    assert.ok((await metricValue(mqtt.metrics.readsPaused, { reason: 'room' })) >= 3);
    assert.equal(mqtt.sink.seen.length, 0);
    // One batch at a time comes free, then all.
    for (let round = 0; round < 5; round++) {
      mqtt.sink.releaseOne();
      await sleep(5);
    }
    mqtt.sink.release();
    await waitFor(() => mqtt.sink.seen.length === count * versions.length);
    for (const version of versions) {
      const own = mqtt.sink.seen.filter(({ payload }) => payload.startsWith(`{"v":${version},`));
      const expected = numbers(count).map((payload) => payload.replace('{', `{"v":${version},`));
      assert.deepEqual(
        own.map(({ payload }) => payload),
        expected,
      );
    }
    await mqtt.stop();
  }
});

test('packets of the rare path wait for room in the same order', async () => {
  const mqtt = await startMqtt();
  mqtt.sink.hold();
  const filler = await connected(mqtt, 4, 'filler');
  filler.send(
    numbers(40_000)
      .map((payload) => publishPacket(4, '30', 0, 'v2/t', payload))
      .join(''),
  );
  await waitFor(() => mqtt.sink.inFlight === limits.batchesMax);
  const client = await connected(mqtt, 5, 'rare');
  const sent = Array.from({ length: 50 }, (_, index) =>
    [
      publishPacket(5, '32', index + 1, telemetry, `{"i":${index}}`),
      publishPacket(5, '34', 1000 + index, telemetry, `{"i":${index}}`, '03 23 0001'),
    ].join(''),
  );
  client.send(`${sent.join('')}c000`);
  await sleep(50);
  mqtt.sink.release();
  const answers: string[] = [];
  while (answers.length < 101) answers.push(await client.packet());
  const acknowledged = answers.filter((answer) => answer !== 'd000');
  const expected = Array.from({ length: 50 }, (_, index) => [
    `4002${(index + 1).toString(16).padStart(4, '0')}`,
    `5002${(1000 + index).toString(16).padStart(4, '0')}`,
  ]).flat();
  assert.deepEqual(acknowledged, expected);
  await mqtt.stop();
});

test('bytes held in memory have a maximum over all connections', async () => {
  const mqtt = await startMqtt();
  mqtt.sink.keep = false;
  mqtt.sink.hold();
  const filler = await connected(mqtt, 4, 'filler');
  const sent = numbers(40_000).map((payload) => publishPacket(4, '30', 0, 'v2/t', payload));
  filler.send(sent.join(''));
  await waitFor(() => mqtt.sink.inFlight === limits.batchesMax);
  const bystander = await connected(mqtt, 4, 'bystander');
  // Whole reads of 64 KiB, so that it is certain how many fit: 64 MiB are 1,024 of them.
  const one = hex(publishPacket(4, '30', 0, 'v2/t', 'x'.repeat(1014)));
  assert.equal(one.length, 1024 - 1);
  const read = Buffer.concat(Array.from({ length: 64 }, () => one));
  const memory = { reason: 'memory' };
  const wires: MemoryWire[] = [];
  const carriers: Carrier[] = [];
  const reads = Math.floor(limits.mqttHeldBytesMax / read.length);
  for (let index = 0; index <= reads; index++) {
    // The filler holds up to two reads of its own.
    const paused = await metricValue(mqtt.metrics.readsPaused, memory);
    if (index < reads - 2) assert.equal(paused, 0, `after ${index}`);
    if (paused > 0) break;
    mqtt.addDevice(`t${index}`);
    const wire = new MemoryWire();
    const carrier = mqtt.listener.attach(wire);
    assert.ok(carrier !== undefined);
    carrier.receive(hex(connectPacket(4, 'heavy', `t${index}`)));
    carrier.receive(read);
    assert.equal(wire.paused, true);
    wires.push(wire);
    carriers.push(carrier);
  }
  // Now nobody is read, whoever it is.
  assert.ok((await metricValue(mqtt.metrics.readsPaused, memory)) > 0);
  bystander.send('c000');
  await sleep(300);
  assert.equal(await Promise.race([bystander.packet(), sleep(100)]), undefined);
  mqtt.sink.release();
  await waitFor(() => mqtt.sink.messages === 40_000 + wires.length * 64);
  await waitFor(() => wires.every(({ paused }) => !paused));
  for (const carrier of carriers) carrier.closed();
  await mqtt.stop();
});

test('a peer that does not read is not read either, and closed in the end', async () => {
  const clock = new ManualClock();
  const mqtt = await startMqtt({}, clock);
  const socket = connect(mqtt.port, '127.0.0.1');
  socket.on('error', () => {});
  let received = -4; // The CONNACK.
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.write(hex(connectPacket(4, 'deaf')));
  await waitFor(() => received === 0);
  const ping = Buffer.from('c000'.repeat(50_000), 'hex');
  const writes = { reason: 'writes' };
  let sent = 0;
  /** Sends until the node stops reading. */
  const flood = async (): Promise<void> => {
    const before = await metricValue(mqtt.metrics.readsPaused, writes);
    socket.pause();
    while ((await metricValue(mqtt.metrics.readsPaused, writes)) === before) {
      assert.ok(sent < 200_000_000, 'the node goes on reading a peer that does not read');
      socket.write(ping);
      sent += ping.length;
      await sleep(1);
    }
  };
  await flood();
  // It reads again: everything is answered.
  socket.resume();
  await waitFor(() => received === sent);
  // And again it does not, for longer than a minute.
  await flood();
  clock.advance(limits.writeStallMs + 2_000);
  const closes = { protocol: 'mqtt', reason: 'writeStalled' };
  while ((await metricValue(mqtt.metrics.connectionsClosed, closes)) === 0) await sleep(20);
  socket.destroy();
  await mqtt.stop();
});

test('over the message rate 5.0 is told, 3.x waits, nothing is lost', async () => {
  const clock = new ManualClock();
  const mqtt = await startMqtt({ deviceMessagesPerSecond: 10, deviceMessagesBurst: 20 }, clock);
  const five = await connected(mqtt, 5, 'five');
  const sent = Array.from({ length: 25 }, (_, index) =>
    publishPacket(5, index % 2 === 0 ? '32' : '34', index + 1, telemetry, `{"n":${index}}`),
  );
  five.send(sent.join(''));
  const answers: string[] = [];
  while (answers.length < 25) answers.push(await five.packet());
  assert.ok(answers.slice(0, 20).every((answer) => /^(40|50)02/.test(answer)));
  const reason = text('over 10 messages per second');
  assert.equal(answers[20], packet('40', `0015 97 1e 1f ${reason}`));
  assert.equal(answers[21], packet('50', `0016 97 1e 1f ${reason}`));
  assert.deepEqual(await five.ping(), []);
  assert.equal(mqtt.sink.seen.length, 20);
  // QoS 0 has no answer: it waits as 3.x does.
  five.send(publishPacket(5, '30', 0, telemetry, '{"late":1}'));
  await sleep(50);
  assert.equal(mqtt.sink.seen.length, 20);
  clock.advance(100);
  await waitFor(() => mqtt.sink.seen.length === 21);
  mqtt.addDevice('slow');
  const three = await connected(mqtt, 4, 'three', 'slow');
  const from = mqtt.sink.seen.length;
  three.send(
    numbers(100)
      .map((payload, index) => publishPacket(4, '32', index + 1, telemetry, payload))
      .join(''),
  );
  await waitFor(() => mqtt.sink.seen.length === from + 20);
  for (let second = 1; second <= 8; second++) {
    await sleep(40);
    assert.equal(mqtt.sink.seen.length, from + 20 + (second - 1) * 10);
    clock.advance(1_000);
    await waitFor(() => mqtt.sink.seen.length === from + 20 + second * 10);
  }
  for (let index = 1; index <= 100; index++) {
    assert.equal(await three.packet(), `4002${index.toString(16).padStart(4, '0')}`);
  }
  assert.deepEqual(
    mqtt.sink.seen.slice(from).map(({ payload }) => payload),
    numbers(100),
  );
  await mqtt.stop();
});

test('sessions share the device’s rate, and connecting again gives nothing', async () => {
  const clock = new ManualClock();
  const mqtt = await startMqtt({ deviceMessagesPerSecond: 10, deviceMessagesBurst: 10 }, clock);
  const publish = (identifier: number): string =>
    publishPacket(5, '32', identifier, telemetry, '{}');
  const a = await connected(mqtt, 5, 'a');
  for (let identifier = 1; identifier <= 7; identifier++) a.send(publish(identifier));
  for (let identifier = 1; identifier <= 7; identifier++) {
    assert.equal(await a.packet(), `4002000${identifier}`);
  }
  a.destroy();
  const b = await connected(mqtt, 5, 'b');
  for (let identifier = 1; identifier <= 4; identifier++) b.send(publish(identifier));
  for (let identifier = 1; identifier <= 3; identifier++) {
    assert.equal(await b.packet(), `4002000${identifier}`);
  }
  assert.match(await b.packet(), /^40..000497/);
  await mqtt.stop();
});

test('a large packet may come in any pieces', async () => {
  const mqtt = await startMqtt();
  const payload = `{"text":"${'x'.repeat(200_000)}"}`;
  for (const version of versions) {
    const client = await connected(mqtt, version);
    const bytes = hex(publishPacket(version, '32', 1, telemetry, payload));
    for (const size of [1, 2, 3, 5, 1000, 65_536, bytes.length]) {
      const from = mqtt.sink.seen.length;
      let at = 0;
      // The header byte by byte, the rest in pieces.
      while (at < bytes.length) {
        const to = Math.min(bytes.length, at + (at < 40 || size > 5 ? size : 50_000));
        client.send(bytes.subarray(at, to));
        at = to;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await client.packet(), '40020001');
      assert.equal(mqtt.sink.seen[from]?.payload, payload);
    }
    client.destroy();
  }
  await mqtt.stop();
});

test('a thousand connections that declare 256 MB cost nothing', async () => {
  const mqtt = await startMqtt();
  const before = process.memoryUsage().rss;
  const clients = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const client = await mqtt.connect();
      client.send(index % 2 === 0 ? '10ffffff7f' : '30ffffff7f');
      return client;
    }),
  );
  for (const client of clients) assert.equal(await client.rest(), '');
  const grown = process.memoryUsage().rss - before;
  // Both ends of a thousand sockets are in this process.
  assert.ok(grown < 40_000_000, `${grown} bytes`);
  await mqtt.stop();
});

test('halves of packets that are never completed make room for others', async () => {
  const clock = new ManualClock();
  const mqtt = await startMqtt({}, clock);
  // 64 MiB of declared packets: 256 of them fill the budget.
  const declared = limits.payloadBytesMax - 4;
  const length = [(declared & 0x7f) | 0x80, ((declared >> 7) & 0x7f) | 0x80, declared >> 14];
  const half = Buffer.from([0x30, ...length, 0, 4]);
  const stallers = [];
  for (let index = 0; index < 257; index++) {
    mqtt.addDevice(`t${index}`);
    const client = await connected(mqtt, 4, 'half', `t${index}`);
    client.send(half);
    stallers.push(client);
  }
  await waitFor(() => mqtt.sessions.count === 257);
  const carry = { reason: 'carry' };
  while ((await metricValue(mqtt.metrics.readsPaused, carry)) === 0) await sleep(10);
  // Whole packets need no such room.
  const honest = await connected(mqtt, 4, 'honest');
  honest.send(publishPacket(4, '32', 1, telemetry, '{}'));
  assert.equal(await honest.packet(), '40020001');
  clock.advance(limits.mqttPacketStallMs + 2_000);
  await sleep(1_200);
  const closes = { protocol: 'mqtt', reason: 'packetStalled' };
  assert.ok((await metricValue(mqtt.metrics.connectionsClosed, closes)) >= 1);
  await honest.ping();
  await mqtt.stop();
});

test('three thousand connections that never finish CONNECT are closed in time', async () => {
  const clock = new ManualClock();
  const mqtt = await startMqtt({}, clock);
  const clients: RawClient[] = [];
  const opened = async (index: number): Promise<void> => {
    const client = await mqtt.connect();
    client.send(connectPacket(4).slice(0, 2 * (index % 12)));
    clients.push(client);
  };
  for (let from = 0; from < 3000; from += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => opened(from + index)));
  }
  const honest = await connected(mqtt, 4, 'honest');
  clock.advance(10_200);
  for (const client of clients) await client.closed;
  await honest.ping();
  const deadlines = { protocol: 'mqtt', reason: 'connectDeadline' };
  assert.equal(await metricValue(mqtt.metrics.connectionsRefused, deadlines), 3000);
  await mqtt.stop();
});
