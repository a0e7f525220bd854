import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connected, type MqttHarness, metricValue, startMqtt } from '../support/mqtt.js';
import {
  connectPacket,
  packet,
  publishPacket,
  telemetry,
  text,
  type Version,
  versions,
} from '../support/mqtt-bytes.js';
import { ManualClock, testDevice } from '../support/mqtt-parts.js';

// How a session begins, is taken over, changes and ends.

let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt({}, undefined, 3);
});
after(async () => {
  await mqtt.stop();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

test('PINGREQ is answered', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send('c000');
    assert.equal(await client.packet(), 'd000');
    client.destroy();
  }
});

test('take-over by client identifier within a device', async () => {
  for (const version of versions) {
    const old = await connected(mqtt, version, 'same');
    const renewed = await connected(mqtt, version, 'same');
    assert.equal(await old.rest(), version === 5 ? 'e0018e' : '');
    await renewed.ping();
    mqtt.addDevice('other');
    const stranger = await connected(mqtt, version, 'same', 'other');
    await renewed.ping();
    await stranger.ping();
    renewed.destroy();
    stranger.destroy();
    await waitFor(() => mqtt.sessions.count === 0);
  }
});

test('a session that is taken over a hundred times', async () => {
  const clients = [];
  for (let round = 0; round < 100; round++) clients.push(await connected(mqtt, 5, 'flapping'));
  const last = clients.pop();
  for (const client of clients) assert.equal(await client.rest(), 'e0018e');
  await last?.ping();
  assert.equal(mqtt.sessions.count, 1);
  last?.destroy();
  await waitFor(() => mqtt.sessions.count === 0);
});

test('above sessionsPerDeviceMax the oldest goes', async () => {
  const clients = [];
  for (const name of ['a', 'b', 'c']) clients.push(await connected(mqtt, 5, name));
  const fourth = await connected(mqtt, 4, 'd');
  assert.equal(await clients[0]?.rest(), 'e00197');
  await clients[1]?.ping();
  await fourth.ping();
  for (const client of [...clients, fourth]) client.destroy();
  await waitFor(() => mqtt.sessions.count === 0);
});

test('a second CONNECT', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send(connectPacket(version));
    assert.equal(await client.rest(), version === 5 ? 'e00182' : '');
  }
});

test('what a client must not send', async () => {
  const check = async (version: Version, bytes: string, code: string): Promise<void> => {
    const client = await connected(mqtt, version);
    client.send(bytes);
    assert.equal(await client.rest(), version === 5 ? `e001${code}` : '', bytes);
  };
  for (const version of versions) {
    const properties = version === 5 ? '00' : '';
    await check(version, '20020000', '82');
    await check(version, '9003000100', '82');
    await check(version, 'd000', '82');
    await check(version, '0000', '81');
    await check(version, 'c100', '81');
    await check(version, 'c00100', '81');
    await check(version, '30ffffffff7f', '81');
    await check(version, packet('36', `${text(telemetry)} 0001 ${properties} 7b7d`), '81');
    await check(version, packet('32', `${text(telemetry)} 0000 ${properties} 7b7d`), '81');
    await check(version, packet('30', `${text('v1/#')} ${properties}`), '81');
    await check(version, packet('82', `0001 ${properties}`), '82');
    await check(version, packet('60', '0001'), '81');
    await check(version, 'f000', version === 5 ? '8c' : '');
  }
  await check(5, packet('82', `0001 02 0b01 ${text('v2/a')} 00`), 'a1');
});

test('a packet over the limit is refused by its declared length', async () => {
  const own = await startMqtt({ packetBytesMax: 1000 });
  const largest = (version: Version): string => {
    const head = version === 5 ? 3 + 2 + telemetry.length + 1 : 3 + 2 + telemetry.length;
    return publishPacket(version, '30', 0, telemetry, 'x'.repeat(1000 - head));
  };
  for (const version of versions) {
    const client = await connected(own, version);
    assert.equal(largest(version).length / 2, 1000);
    client.send(largest(version));
    await client.ping();
    // 1,001 bytes declared, four sent.
    client.send('30 e607 00');
    const reason = text('a packet of 1001 bytes; the maximum is 1000');
    assert.equal(await client.rest(), version === 5 ? packet('e0', `95 2e 1f ${reason}`) : '');
    // The same when it comes whole.
    const whole = await connected(own, version);
    whole.send(publishPacket(version, '30', 0, telemetry, 'x'.repeat(1100)));
    assert.match(await whole.rest(), version === 5 ? /^e0..95/ : /^$/);
  }
  const closes = { protocol: 'mqtt', reason: 'oversize' };
  assert.equal(await metricValue(own.metrics.connectionsClosed, closes), 6);
  await own.stop();
});

test('keep alive: one and a half times', async () => {
  const clock = new ManualClock();
  const own = await startMqtt({}, clock);
  for (const version of versions) {
    const name = version === 3 ? 'MQIsdp' : 'MQTT';
    const rest = `${version === 5 ? '00' : ''} ${text('k')} ${text('token')}`;
    const client = await own.connect();
    client.send(packet('10', `${text(name)} 0${version} 82 000a ${rest}`));
    await client.packet();
    const silent = await connected(own, version, 'keep alive 0');
    clock.advance(14_000);
    await sleep(1_000);
    assert.deepEqual(await client.ping(), []);
    // A packet starts the time anew; bytes that are not a whole packet do so once, when they begin.
    clock.advance(14_000);
    await sleep(1_000);
    assert.equal(client.socket.closed, false);
    clock.advance(1_500);
    const found = await client.rest();
    if (version < 5) assert.equal(found, '');
    else assert.equal(found, packet('e0', `8d 18 1f ${text('no packet within 15 s')}`));
    if (version < 5) await silent.ping();
    silent.destroy();
  }
  const closes = { protocol: 'mqtt', reason: 'keepAlive' };
  assert.equal(await metricValue(own.metrics.connectionsClosed, closes), 3);
  await own.stop();
});

test('a trickled packet does not outlive the keep alive', async () => {
  const clock = new ManualClock();
  const own = await startMqtt({}, clock);
  const client = await own.connect();
  client.send(packet('10', `${text('MQTT')} 04 82 000a ${text('k')} ${text('token')}`));
  await client.packet();
  client.send('30 50');
  await sleep(250);
  for (let round = 0; round < 4 && !client.socket.closed; round++) {
    clock.advance(5_000);
    client.send('00');
    await sleep(1_000);
  }
  assert.equal(await client.rest(), '');
  await own.stop();
});

test('DISCONNECT ends the session; 5.0 may not prolong it', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send('e000');
    assert.equal(await client.rest(), '');
  }
  const check = async (connectProperties: string, bytes: string, expected: string) => {
    const client = await mqtt.connect();
    client.send(connectPacket(5, 'e', 'token', connectProperties));
    await client.packet();
    client.send(bytes);
    assert.equal(await client.rest(), expected);
  };
  await check('', packet('e0', '00 05 11 0000000a'), 'e00182'); // 5.0 §3.14.2.2.2
  await check('', packet('e0', '00 05 11 00000000'), '');
  await check('11 0000003c', packet('e0', '00 05 11 0000000a'), '');
  await check('', packet('e0', '04'), '');
  await check('', packet('e0', '7e'), 'e00181');
});

test('changes of a device reach its open sessions', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    const { device } = mqtt;
    const flagged = testDevice(device.name, { id: device.id, normaliseFlags: 1 });
    mqtt.credentials.change(device, flagged, false);
    await client.ping();
    // Another credential ended: ours is still good.
    mqtt.credentials.change(device, flagged, true);
    await sleep(20);
    await client.ping();
    // Ours ended.
    mqtt.credentials.known.delete('token');
    mqtt.credentials.change(device, flagged, true);
    assert.equal(await client.rest(), version === 5 ? 'e00198' : '');
    mqtt.credentials.known.set('token', device);
    const disabled = await connected(mqtt, version);
    mqtt.credentials.change(device, testDevice('x', { id: device.id, enabled: false }), false);
    assert.equal(await disabled.rest(), version === 5 ? 'e00198' : '');
    const deleted = await connected(mqtt, version);
    mqtt.credentials.change(device, undefined, true);
    assert.equal(await deleted.rest(), version === 5 ? 'e00198' : '');
  }
});

/** A CONNECT with a will. */
function connectWithWill(version: Version, topic: string, payload: string): string {
  const name = version === 3 ? 'MQIsdp' : 'MQTT';
  const properties = version === 5 ? '00' : '';
  // Will properties: a Will Delay Interval of ten seconds, which our sessions never wait for.
  const willProperties = version === 5 ? '05 18 0000000a' : '';
  const will = `${willProperties} ${text(topic)} ${text(payload)}`;
  const body = `0${version} 8e 0000 ${properties} ${text('will')} ${will} ${text('token')}`;
  return packet('10', `${text(name)} ${body}`);
}

test('the will is published as if the device had sent it', async () => {
  for (const version of versions) {
    const end = async (topic: string, how: string): Promise<string[]> => {
      const client = await mqtt.connect();
      client.send(connectWithWill(version, topic, '{"will":1}'));
      assert.match(await client.packet(), /^20..0000/);
      const from = mqtt.sink.seen.length;
      if (how === 'destroy') client.destroy();
      else client.send(how);
      await client.closed;
      await waitFor(() => mqtt.sessions.count === 0);
      await sleep(20);
      return mqtt.sink.seen
        .slice(from)
        .map((seen) => `${seen.topic} ${seen.payload} ${seen.device}`);
    };
    const published = [`${telemetry} {"will":1} device of token`];
    assert.deepEqual(await end(telemetry, 'destroy'), published);
    assert.deepEqual(await end('v2/a', 'destroy'), ['v2/a {"will":1} device of token']);
    assert.deepEqual(await end(telemetry, '0000'), published);
    assert.deepEqual(await end(telemetry, 'e000'), []);
    assert.deepEqual(await end('elsewhere', 'destroy'), []);
    assert.deepEqual(await end('v1/gateway/telemetry', 'destroy'), []);
    if (version === 5) {
      assert.deepEqual(await end(telemetry, 'e00104'), published);
      assert.deepEqual(await end(telemetry, 'e00100'), []);
    }
  }
});

test('a will after a take-over, and none after a credential change', async () => {
  const client = await mqtt.connect();
  client.send(connectWithWill(4, telemetry, '{"taken":1}'));
  await client.packet();
  const from = mqtt.sink.seen.length;
  const renewed = await connected(mqtt, 4, 'will');
  await waitFor(() => mqtt.sink.seen.length > from);
  assert.equal(mqtt.sink.seen[from]?.payload, '{"taken":1}');
  renewed.send('e000');
  await renewed.closed;
  const revoked = await mqtt.connect();
  revoked.send(connectWithWill(4, telemetry, '{"revoked":1}'));
  await revoked.packet();
  mqtt.credentials.change(mqtt.device, undefined, true);
  await revoked.closed;
  await sleep(20);
  assert.equal(mqtt.sink.seen.length, from + 1);
});

test('stop: what is in flight is acknowledged, 5.0 is told, nobody is left', async () => {
  const own = await startMqtt();
  const clients = await Promise.all(
    versions.map((version) => connected(own, version, `${version}`)),
  );
  own.sink.hold();
  clients.forEach((client, index) => {
    client.send(publishPacket(versions[index] ?? 4, '32', 1, telemetry, '{}'));
  });
  for (const client of clients) await client.ping();
  const stopped = own.listener.stop(5_000);
  await sleep(50);
  // Not read any more, not acknowledged, not closed.
  clients[0]?.send(publishPacket(3, '32', 2, telemetry, '{"late":1}'));
  await sleep(50);
  assert.equal(clients[0]?.socket.closed, false);
  own.sink.release();
  for (const client of clients) assert.equal(await client.packet(), '40020001');
  assert.equal(await clients[0]?.rest(), '');
  assert.equal(await clients[1]?.rest(), '');
  assert.equal(await clients[2]?.rest(), 'e0018b');
  await stopped;
  assert.equal(own.sink.seen.length, 3);
  assert.equal(await metricValue(own.metrics.connections), 0);
  assert.equal(own.sessions.count, 0);
});
