import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { silentLogger } from '../../../src/core/logger.js';
import { MessageRates } from '../../../src/device/message-rate.js';
import { handlePacket } from '../../../src/mqtt/channel.js';
import { Connection } from '../../../src/mqtt/connection.js';
import { ConnectionState } from '../../../src/mqtt/connection-state.js';
import { Hub } from '../../../src/mqtt/hub.js';
import { mqttDefaults } from '../../../src/mqtt/options.js';
import { scan } from '../../../src/mqtt/scan.js';
import { assembleMqtt, type MqttParts } from '../../support/mqtt.js';
import { hex, publishPacket, telemetry, type Version, versions } from '../../support/mqtt-bytes.js';
import { MemoryWire } from '../../support/mqtt-parts.js';

interface Bench {
  readonly parts: MqttParts;
  readonly hub: Hub;
}

function bench(packetBytesMax: number = mqttDefaults.packetBytesMax): Bench {
  const parts = assembleMqtt();
  const options = { ...mqttDefaults, packetBytesMax };
  const { clock, metrics, batcher, credentials, sessions } = parts;
  const rates = new MessageRates(0, 0);
  const hub = new Hub(clock, silentLogger, metrics, options, batcher, credentials, sessions, rates);
  parts.batcher.onSettled(() => hub.acks.flushAll());
  return { parts, hub };
}

function connection({ parts, hub }: Bench, version: Version, wire = new MemoryWire()): Connection {
  const created = new Connection(wire, hub);
  created.state = ConnectionState.connected;
  created.version = version;
  created.device = parts.device;
  return created;
}

/** Where the scanner stops in these bytes. */
function stop(on: Bench, version: Version, bytes: Buffer): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return scan(on.hub, connection(on, version), bytes, view, 0, bytes.length);
}

test('what the scanner takes, and what it leaves to the rare path', () => {
  const on = bench(1000);
  const check = (version: Version, digits: string, taken: boolean): void => {
    const bytes = hex(digits);
    assert.equal(stop(on, version, bytes), taken ? bytes.length : 0, `${version}: ${digits}`);
  };
  for (const version of versions) {
    const publish = (first: string, topic: string, properties = '00'): string =>
      publishPacket(version, first, 7, topic, '{"a":1}', properties);
    for (const topic of [
      telemetry,
      'v1/devices/me/attributes',
      'v2/t',
      'v2/t/j',
      'v2/t/m',
      'v2/a',
      'v2/a/j',
      'v2/a/m',
    ]) {
      check(version, publish('30', topic), true);
      check(version, publish('32', topic), true);
      check(version, publish('3a', topic), true);
      check(version, publish('34', topic), false);
      check(version, publish('36', topic), false);
      check(version, publish('38', topic), false);
      check(version, publish('31', topic), version < 5);
      check(version, publish('33', topic), version < 5);
    }
    for (const topic of [
      'v1/devices/me/telemetrx',
      'w1/devices/me/telemetry',
      'v1/devices/me/attributeS',
      'v1/devices/meetelemetry',
      'v2/x',
      'v2/t/p',
      'v2/a/x',
      'a',
      '',
      'v1/gateway/telemetry',
    ]) {
      check(version, publish('30', topic), false);
    }
    check(version, publishPacket(version, '32', 0, telemetry, '{}'), false);
    check(version, publishPacket(version, '30', 0, telemetry, ''), true);
    check(version, publishPacket(version, '30', 0, 'v2/t', ''), true);
    check(version, publishPacket(version, '30', 0, telemetry, 'x'.repeat(900)), true);
    check(version, publishPacket(version, '30', 0, telemetry, 'x'.repeat(1000)), false);
    check(version, 'c000', false);
    check(version, '82080001000461', false);
  }
  check(5, publishPacket(5, '32', 1, telemetry, '{}', '020101'), true);
  check(5, publishPacket(5, '32', 1, telemetry, '{}', '020102'), false);
  check(5, publishPacket(5, '32', 1, telemetry, '{}', '03230001'), false);
  check(5, publishPacket(5, '32', 1, telemetry, '{}', '0526000061'), false);
  // A remaining length that ends inside topic, identifier or properties.
  for (const length of ['06', '18', '19', '1a', '1b']) {
    const bytes = hex(publishPacket(5, '32', 7, telemetry, '{"a":1}'));
    const cut = Buffer.from(bytes.subarray(0, 2 + Number.parseInt(length, 16)));
    cut[1] = Number.parseInt(length, 16);
    assert.equal(stop(on, 5, cut), 0, length);
  }
  // A remaining length written with more bytes than it needs.
  const wide = hex(publishPacket(4, '30', 0, telemetry, '{}').replace('301b', '309b00'));
  assert.equal(stop(on, 4, wide), wide.length);
  const wide5 = hex(publishPacket(5, '30', 0, telemetry, '{}').replace('301c', '309c00'));
  assert.equal(stop(on, 5, wide5), 0);
});

test('the scanner stops at a packet that is cut, wherever', () => {
  const on = bench();
  const one = hex(publishPacket(4, '32', 1, telemetry, 'x'.repeat(300)));
  const bytes = Buffer.concat([one, one]);
  for (let end = 0; end < bytes.length; end++) {
    // The bytes behind the end are there, as in the shared read buffer.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const stopped = scan(on.hub, connection(on, 4), bytes, view, 0, end);
    assert.equal(stopped, end < one.length ? 0 : one.length, String(end));
  }
});

test('a run goes on in the next batch when one is full', async () => {
  const on = bench();
  const wire = new MemoryWire();
  const client = connection(on, 4, wire);
  const packets = Array.from({ length: 5000 }, (_, index) =>
    publishPacket(4, '32', index + 1, 'v2/t', `{"n":${index}}`),
  );
  const bytes = hex(packets.join(''));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert.equal(scan(on.hub, client, bytes, view, 0, bytes.length), bytes.length);
  assert.equal(client.unsettled, 5000);
  on.parts.batcher.submit();
  await on.parts.idle();
  assert.equal(client.unsettled, 0);
  assert.deepEqual(
    on.parts.sink.seen.map(({ payload }) => payload),
    Array.from({ length: 5000 }, (_, index) => `{"n":${index}}`),
  );
  assert.equal(wire.packets().length, 5000);
});

test('scanner and rare path agree on every publish, mutated ones too', async () => {
  const on = bench();
  const topics = fc.constantFrom(telemetry, 'v1/devices/me/attributes', 'v2/t', 'v2/a/m', 'v2/t/p');
  const mutation = fc.tuple(fc.nat(60), fc.nat(255));
  const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Version>(4, 5),
      fc.constantFrom(0x30, 0x31, 0x32, 0x33, 0x3a, 0x34),
      topics,
      fc.string({ maxLength: 200 }),
      fc.constantFrom('00', '020101', '020100', '020107', '05020000003c'),
      fc.array(mutation, { maxLength: 2 }),
      async (version, first, topic, payload, properties, mutations) => {
        const digits = publishPacket(version, hexOf(first), 258, topic, payload, properties);
        const bytes = hex(digits);
        for (const [at, value] of mutations) if (at > 1 && at < bytes.length) bytes[at] = value;
        const rows = async (path: 'scan' | 'rare'): Promise<unknown> => {
          const wire = new MemoryWire();
          const client = connection(on, version, wire);
          on.parts.sink.seen.length = 0;
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
          const at = path === 'scan' ? scan(on.hub, client, bytes, view, 0, bytes.length) : 0;
          if (at === 0) handlePacket(on.hub, client, bytes, (bytes[1] ?? 0) < 0x80 ? 2 : 3);
          on.hub.acks.flushAll();
          on.parts.batcher.submit();
          await on.parts.idle();
          return { seen: [...on.parts.sink.seen], packets: wire.packets(), ended: wire.ended };
        };
        assert.deepEqual(await rows('scan'), await rows('rare'));
      },
    ),
    { numRuns: 1500 },
  );
});
