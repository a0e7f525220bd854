import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { NodeError } from '../../src/core/errors.js';
import { sharedReadWorks } from '../../src/mqtt/socket-reader.js';
import { connected, metricValue, startMqtt } from '../support/mqtt.js';
import { connectPacket, hex, publishPacket, telemetry, versions } from '../support/mqtt-bytes.js';
import { MemoryWire } from '../support/mqtt-parts.js';

test('sockets can share one read buffer on this version of Node', async () => {
  assert.equal(await sharedReadWorks(), true);
});

test('both ways of reading serve the same', async () => {
  for (const sharedReadBuffer of [true, false]) {
    const mqtt = await startMqtt({ sharedReadBuffer });
    for (const version of versions) {
      const client = await connected(mqtt, version);
      for (let identifier = 1; identifier <= 300; identifier++) {
        client.send(publishPacket(version, '32', identifier, telemetry, `{"n":${identifier}}`));
      }
      for (let identifier = 1; identifier <= 300; identifier++) {
        assert.equal(await client.packet(), `4002${identifier.toString(16).padStart(4, '0')}`);
      }
      client.send('e000');
      assert.equal(await client.rest(), '');
    }
    assert.equal(mqtt.sink.seen.length, 900);
    await mqtt.stop();
  }
});

test('a port that is taken is an error with a code', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  assert.ok(address !== null && typeof address !== 'string');
  await assert.rejects(startMqtt({ port: address.port }), (error: unknown) => {
    assert.ok(error instanceof NodeError);
    assert.equal(error.code, 'SLUICE_PORT_TAKEN');
    assert.match(error.message, /^cannot listen for MQTT on 127\.0\.0\.1:\d+: /);
    return true;
  });
  other.close();
});

test('sessions over something that is not a socket', async () => {
  const mqtt = await startMqtt();
  const wire = new MemoryWire();
  const carrier = mqtt.listener.attach(wire);
  assert.ok(carrier !== undefined);
  carrier.receive(hex(connectPacket(4) + publishPacket(4, '32', 1, telemetry, '{}')));
  await mqtt.idle();
  assert.deepEqual(wire.packets(), ['20020000', '40020001']);
  assert.equal(mqtt.sessions.count, 1);
  carrier.receive(hex('e000'));
  assert.equal(wire.ended, true);
  carrier.closed();
  assert.equal(mqtt.sessions.count, 0);
  assert.equal(await metricValue(mqtt.metrics.connections), 0);
  await mqtt.stop();
  assert.equal(mqtt.listener.attach(new MemoryWire()), undefined);
});

test('an error inside the node costs the one connection', async () => {
  const mqtt = await startMqtt();
  const bystander = await connected(mqtt, 4, 'bystander');
  const client = await connected(mqtt, 4, 'client');
  const peekToken = mqtt.credentials.peekToken;
  mqtt.credentials.peekToken = () => {
    throw new RangeError('a fault of the test');
  };
  const unlucky = await mqtt.connect();
  unlucky.send(connectPacket(4, 'unlucky'));
  assert.equal(await unlucky.rest(), '');
  mqtt.credentials.peekToken = peekToken;
  await bystander.ping();
  await client.ping();
  const faults = { protocol: 'mqtt', reason: 'internalError' };
  assert.equal(await metricValue(mqtt.metrics.connectionsClosed, faults), 1);
  await mqtt.stop();
});

test('a peer that resets or hangs up in the middle of a packet', async () => {
  const mqtt = await startMqtt();
  for (let round = 0; round < 50; round++) {
    const client = await connected(mqtt, 4, `c${round}`);
    client.send(hex(publishPacket(4, '32', 1, telemetry, '{}')).subarray(0, 5 + (round % 20)));
    if (round % 2 === 0) client.socket.resetAndDestroy();
    else client.socket.end();
    await client.closed;
  }
  while ((await metricValue(mqtt.metrics.connections)) > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(mqtt.sessions.count, 0);
  assert.equal(mqtt.sink.seen.length, 0);
  await mqtt.stop();
});
