import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/core/limits.js';
import { silentLogger } from '../../../src/core/logger.js';
import { MessageRates } from '../../../src/device/message-rate.js';
import { handlePacket } from '../../../src/mqtt/channel.js';
import { Connection } from '../../../src/mqtt/connection.js';
import { ConnectionState } from '../../../src/mqtt/connection-state.js';
import { type Delivery, publishTo } from '../../../src/mqtt/downlink.js';
import { Hub } from '../../../src/mqtt/hub.js';
import { mqttDefaults } from '../../../src/mqtt/options.js';
import { assembleMqtt } from '../../support/mqtt.js';
import { hex } from '../../support/mqtt-bytes.js';
import { MemoryWire } from '../../support/mqtt-parts.js';

interface Peer {
  readonly hub: Hub;
  readonly connection: Connection;
  readonly wire: MemoryWire;
  send(qos: 0 | 1, told?: number[], payload?: string): Delivery;
  answer(digits: string): void;
}

function peer(version: number): Peer {
  const { clock, metrics, batcher, credentials, sessions, device } = assembleMqtt();
  const rates = new MessageRates(0, 0);
  const hub = new Hub(
    clock,
    silentLogger,
    metrics,
    mqttDefaults,
    batcher,
    credentials,
    sessions,
    rates,
  );
  const wire = new MemoryWire();
  const connection = new Connection(wire, hub);
  connection.state = ConnectionState.connected;
  connection.version = version;
  connection.device = device;
  return {
    hub,
    connection,
    wire,
    send(qos, told, payload = '{}') {
      const acknowledged = told === undefined ? undefined : (code: number) => told.push(code);
      return publishTo(connection, 'v2/a', Buffer.from(payload), qos, acknowledged);
    },
    answer(digits) {
      handlePacket(hub, connection, hex(digits), 2);
      hub.acks.flushAll();
    },
  };
}

test('a publish to the client, and its PUBACK', async () => {
  const { send, wire, answer, connection } = peer(4);
  const told: number[] = [];
  assert.equal(send(0), 'sent');
  assert.equal(send(1, told), 'sent');
  assert.equal(send(1, told), 'sent');
  await new Promise((resolve) => setImmediate(resolve));
  // One write for the whole turn.
  assert.equal(wire.written.length, 1);
  assert.deepEqual(wire.packets(), [
    '3008000476322f617b7d',
    '320a000476322f6100017b7d',
    '320a000476322f6100027b7d',
  ]);
  answer('40020002');
  answer('40020002');
  answer('40020009');
  assert.deepEqual(told, [0]);
  connection.finish('peer');
  assert.deepEqual(told, [0, -1]);
  assert.equal(send(1), 'closed');
});

test('5.0: an empty property length, the reason code of the PUBACK', async () => {
  const { send, wire, answer } = peer(5);
  const told: number[] = [];
  send(1, told);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(wire.packets(), ['320b000476322f610001007b7d']);
  answer('4003000110');
  assert.deepEqual(told, [0x10]);
});

test('the client’s Receive Maximum and Maximum Packet Size are kept', () => {
  const { send, connection, answer } = peer(5);
  connection.sessionState().receiveMaximum = 2;
  connection.sessionState().maximumPacketSize = 20;
  assert.equal(send(1), 'sent');
  assert.equal(send(1), 'sent');
  assert.equal(send(1), 'busy');
  assert.equal(send(0), 'sent');
  answer('40020001');
  assert.equal(send(1), 'sent');
  answer('40020002');
  assert.equal(send(1, undefined, 'x'.repeat(10)), 'tooLarge');
  // Nothing of it is left in flight.
  assert.equal(send(1), 'sent');
  assert.equal(send(1), 'busy');
});

test('what is in flight and what waits to be written is bounded', () => {
  const { send, wire, connection } = peer(4);
  for (let sent = 0; sent < limits.downlinkInFlightMax; sent++) assert.equal(send(1), 'sent');
  assert.equal(send(1), 'busy');
  wire.writableLength = limits.writeBufferBytesMax + 1;
  assert.equal(send(0), 'busy');
  assert.equal(connection.session?.sent?.count, limits.downlinkInFlightMax);
});

test('QoS 2 answers to nothing we sent let the client forget', () => {
  const three = peer(4);
  three.answer('50020007');
  three.answer('70020007');
  assert.deepEqual(three.wire.packets(), ['62020007']);
  const five = peer(5);
  five.answer('50020007');
  five.answer('5003000780');
  assert.deepEqual(five.wire.packets(), ['6203000792']);
});
