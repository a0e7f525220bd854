import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connected, type MqttHarness, startMqtt } from '../support/mqtt.js';
import { connectPacket, packet, publishPacket, telemetry, text } from '../support/mqtt-bytes.js';

// What only PUBLISH of 5.0 has: Receive Maximum, topic aliases, properties, Reason Strings.

let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt();
});
after(async () => {
  await mqtt.stop();
});

/** PUBACK or PUBREC with a reason code and a Reason String. */
function failure(first: string, identifier: string, code: string, reason: string): string {
  const body = `1f ${text(reason)}`.replaceAll(/\s+/g, '');
  return packet(
    first,
    `${identifier} ${code} ${(body.length / 2).toString(16).padStart(2, '0')} ${body}`,
  );
}

test('5.0 is held to Receive Maximum at QoS 2', async () => {
  const own = await startMqtt({ receiveMaximum: 3 });
  const publish = (first: string, identifier: number): string =>
    publishPacket(5, first, identifier, telemetry, '{}');
  // Three without a PUBREC are allowed, the fourth is not.
  own.sink.hold();
  const eager = await connected(own, 5, 'eager');
  eager.send(publish('34', 1) + publish('34', 2) + publish('34', 3));
  assert.deepEqual(await eager.ping(), []);
  eager.send(publish('34', 4));
  assert.equal(await eager.packet(), 'e00193');
  own.sink.release();
  // A message counts until its PUBCOMP [MQTT-4.9.0-2].
  const two = await connected(own, 5, 'two');
  for (const identifier of [1, 2, 3]) {
    two.send(publish('34', identifier));
    assert.equal(await two.packet(), `5002000${identifier}`);
  }
  // The same identifier again is not one more.
  two.send(publish('3c', 3));
  assert.equal(await two.packet(), '50020003');
  two.send('62020001');
  assert.equal(await two.packet(), '70020001');
  two.send(publish('34', 1));
  assert.equal(await two.packet(), '50020001');
  two.send(publish('34', 7));
  assert.equal(await two.packet(), 'e00193');
  // A QoS 1 backlog of a client that does not count is served.
  const many = await connected(own, 5, 'many');
  many.send(Array.from({ length: 500 }, (_, index) => publish('32', index + 1)).join(''));
  for (let identifier = 1; identifier <= 500; identifier++) {
    assert.equal(await many.packet(), `4002${identifier.toString(16).padStart(4, '0')}`);
  }
  await own.stop();
});

test('topic aliases', async () => {
  const client = await connected(mqtt, 5, 'alias');
  const publish = (identifier: number, topic: string, alias: string): string =>
    publishPacket(5, '32', identifier, topic, `{"i":${identifier}}`, `03 23 ${alias}`);
  const from = mqtt.sink.seen.length;
  client.send(publish(1, telemetry, '0001') + publish(2, '', '0001') + publish(3, 'v2/a', '0010'));
  client.send(publish(4, '', '0010') + publish(5, 'v2/a', '0001') + publish(6, '', '0001'));
  for (const identifier of [1, 2, 3, 4, 5, 6]) {
    assert.equal(await client.packet(), `4002000${identifier}`);
  }
  assert.deepEqual(
    mqtt.sink.seen.slice(from).map(({ topic }) => topic),
    [telemetry, telemetry, 'v2/a', 'v2/a', 'v2/a', 'v2/a'],
  );
  // An alias of an unknown topic works too: the message is refused as such.
  client.send(publish(7, 'nowhere', '0002') + publish(8, '', '0002'));
  assert.match(await client.packet(), /^401..?000790/);
  assert.match(await client.packet(), /^401..?000890/);
  client.destroy();
  const refused = async (bytes: string, code: string): Promise<void> => {
    const other = await connected(mqtt, 5, 'alias');
    other.send(bytes);
    assert.equal(await other.rest(), `e001${code}`, bytes);
  };
  await refused(publish(1, telemetry, '0000'), '94');
  await refused(publish(1, telemetry, '0011'), '94'); // Topic Alias Maximum is 16.
  await refused(publish(1, '', '0003'), '82');
  await refused(publishPacket(5, '32', 1, '', '{}', '00'), '82');
  // Aliases belong to a connection [MQTT-3.3.2-7].
  await refused(publish(1, '', '0001'), '82');
});

test('properties of PUBLISH that say nothing to us are accepted', async () => {
  const client = await connected(mqtt, 5);
  const check = async (properties: string): Promise<void> => {
    const from = mqtt.sink.seen.length;
    const compact = properties.replaceAll(/\s+/g, '');
    const length = (compact.length / 2).toString(16).padStart(2, '0');
    client.send(publishPacket(5, '32', 1, telemetry, '{"p":1}', length + compact));
    assert.equal(await client.packet(), '40020001', properties);
    assert.equal(mqtt.sink.seen[from]?.payload, '{"p":1}');
  };
  await check('');
  await check('01 01');
  await check('01 00');
  await check('02 0000003c');
  await check(`03 ${text('application/json')}`);
  await check(`08 ${text('answer')} 09 0002 0102`);
  await check(`26 ${text('__proto__')} ${text('1')} 26 ${text('a')} ${text('2')}`);
  client.send(publishPacket(5, '32', 1, telemetry, '{}', '02 0b 01'));
  assert.equal(await client.packet(), 'e00182'); // [MQTT-3.3.4-6]
});

test('5.0: no Reason String where it is not wanted or does not fit', async () => {
  const check = async (properties: string, expected: string): Promise<void> => {
    const client = await mqtt.connect();
    client.send(connectPacket(5, 'quiet', 'token', properties));
    await client.packet();
    client.send(publishPacket(5, '32', 1, 'unknown', '{}'));
    assert.equal(await client.packet(), expected, properties);
    client.destroy();
  };
  const full = failure('40', '0001', '90', 'unknown topic');
  await check('', full);
  await check('17 01', full);
  await check('17 00', '4003000190'); // [MQTT-3.1.2-29]
  await check('27 000000ff', full);
  // CONNACK of a keep alive of 0 is 32 bytes; the acknowledgement is 23.
  await check('27 00000020', full);
});
