import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MessageKind } from '../../src/normalise/batch-layout.js';
import {
  connected,
  type MqttHarness,
  metricValue,
  type RawClient,
  startMqtt,
} from '../support/mqtt.js';
import {
  packet,
  publishPacket,
  telemetry,
  text,
  type Version,
  versions,
} from '../support/mqtt-bytes.js';

// PUBLISH and what answers it, byte by byte, in every version.

let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt();
  mqtt.addDevice('gateway', { gateway: true });
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

/** What a 5.0 client is told, or the plain form of 3.x. */
function answer(version: Version, five: string, three: string): string {
  return (version === 5 ? five : three).replaceAll(/\s+/g, '');
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test('the topics of telemetry and attributes, at QoS 0, 1 and 2', async () => {
  const topics: readonly (readonly [string, MessageKind])[] = [
    [telemetry, MessageKind.telemetryJson],
    ['v1/devices/me/attributes', MessageKind.attributesJson],
    ['v2/t', MessageKind.telemetryJson],
    ['v2/t/j', MessageKind.telemetryJson],
    ['v2/t/m', MessageKind.telemetryMsgpack],
    ['v2/a', MessageKind.attributesJson],
    ['v2/a/j', MessageKind.attributesJson],
    ['v2/a/m', MessageKind.attributesMsgpack],
  ];
  for (const version of versions) {
    const client = await connected(mqtt, version);
    for (const [topic, kind] of topics) {
      const from = mqtt.sink.seen.length;
      client.send(publishPacket(version, '30', 0, topic, '{"q":0}'));
      client.send(publishPacket(version, '32', 0x102, topic, '{"q":1}'));
      assert.equal(await client.packet(), '40020102');
      client.send(publishPacket(version, '34', 0xffff, topic, '{"q":2}'));
      assert.equal(await client.packet(), '5002ffff');
      client.send('6202ffff');
      assert.equal(await client.packet(), '7002ffff');
      assert.deepEqual(
        mqtt.sink.seen.slice(from),
        [0, 1, 2].map((qos) => ({
          device: 'device of token',
          kind,
          topic,
          payload: `{"q":${qos}}`,
          acknowledged: qos > 0,
          outcome: 0,
        })),
      );
    }
    client.destroy();
  }
});

test('a bad payload: 5.0 is told where, 3.x sees a plain acknowledgement', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    // The sink settles `!1` as malformed JSON at byte 3.
    client.send(publishPacket(version, '32', 1, telemetry, '!1'));
    const reason = 'malformed JSON at byte 3';
    assert.equal(
      await client.packet(),
      answer(version, failure('40', '0001', '99', reason), '40020001'),
    );
    client.send(publishPacket(version, '34', 2, telemetry, '!1'));
    assert.equal(
      await client.packet(),
      answer(version, failure('50', '0002', '99', reason), '50020002'),
    );
    client.send(publishPacket(version, '30', 0, telemetry, '!1'));
    assert.deepEqual(await client.ping(), []);
    if (version === 5) {
      // A PUBREC with a failure ended the exchange: the identifier is free for another message.
      client.send('62020002');
      assert.equal(await client.packet(), '7003000292');
    } else {
      client.send('62020002');
      assert.equal(await client.packet(), '70020002');
    }
    client.destroy();
  }
});

test('badPayload close: 3.x is closed without an acknowledgement, 5.0 is not', async () => {
  const own = await startMqtt({ badPayload: 'close' });
  for (const version of versions) {
    const client = await connected(own, version);
    client.send(publishPacket(version, '30', 0, telemetry, '!1'));
    assert.deepEqual(await client.ping(), []);
    client.send(publishPacket(version, '32', 1, 'unknown', '{}'));
    assert.match(await client.packet(), /^40..0001/);
    client.send(publishPacket(version, '32', 2, telemetry, '!1'));
    if (version === 5) assert.match(await client.packet(), /^401f000299/);
    else assert.equal(await client.rest(), '');
    client.destroy();
  }
  const closes = { protocol: 'mqtt', reason: 'badPayload' };
  assert.equal(await metricValue(own.metrics.connectionsClosed, closes), 2);
  await own.stop();
});

test('nothing was stored: no positive acknowledgement', async () => {
  for (const version of versions) {
    const check = async (payload: string, five: string): Promise<void> => {
      const client = await connected(mqtt, version);
      client.send(publishPacket(version, '32', 9, telemetry, payload));
      const found = version === 5 ? await client.packet() : await client.rest();
      assert.equal(found, version === 5 ? five : '', payload);
      client.destroy();
    };
    await check('!64', failure('40', '0009', '83', 'the journal cannot write'));
    await check('!65', failure('40', '0009', '97', 'overloaded'));
    await check('!66', 'e0018b');
  }
});

test('unknown and gateway topics', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version, 'unknown');
    const gateway = await connected(mqtt, version, 'gateway', 'gateway');
    const check = async (
      from: RawClient,
      topic: string,
      code: string,
      reason: string,
    ): Promise<void> => {
      from.send(publishPacket(version, '32', 3, topic, '{}'));
      const expected = answer(version, failure('40', '0003', code, reason), '40020003');
      assert.equal(await from.packet(), expected, topic);
      assert.equal(mqtt.sink.seen.at(-1)?.kind, MessageKind.refused);
      assert.equal(mqtt.sink.seen.at(-1)?.topic, topic);
      const before = mqtt.sink.seen.length;
      from.send(publishPacket(version, '30', 0, topic, '{"q":0}'));
      assert.deepEqual(await from.ping(), []);
      await waitFor(() => mqtt.sink.seen.length > before);
      assert.equal(mqtt.sink.seen.at(-1)?.payload, '{"q":0}');
    };
    await check(client, 'a/b', '90', 'unknown topic');
    await check(client, '$SYS/broker', '90', 'unknown topic');
    await check(client, 'a/b/c/d/e/f/g/h/i/j/k', '90', 'unknown topic');
    await check(client, 'v2/t/p', '90', 'unknown topic');
    await check(client, 'v1/gateway/telemetry', '87', 'the device is not a gateway');
    await check(gateway, 'v1/gateway/telemetry', '90', 'unknown topic');
    client.destroy();
    gateway.destroy();
  }
});

test('a topic name longer than any of ours is cut in the table, and refused', async () => {
  const client = await connected(mqtt, 4);
  client.send(publishPacket(4, '32', 3, 'x'.repeat(5000), '{}'));
  assert.equal(await client.packet(), '40020003');
  assert.equal(mqtt.sink.seen.at(-1)?.topic.length, 1024);
  client.destroy();
});

test('RETAIN: 3.x ignores it, 5.0 was told that it is not available', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send(publishPacket(version, '33', 1, telemetry, '{}'));
    assert.equal(await client.packet(), version === 5 ? 'e0019a' : '40020001');
    client.destroy();
  }
});

test('DUP at QoS 1 is stored and acknowledged again', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    const from = mqtt.sink.seen.length;
    for (const first of ['32', '3a']) {
      client.send(publishPacket(version, first, 4, telemetry, '{"d":1}'));
      assert.equal(await client.packet(), '40020004');
    }
    assert.equal(mqtt.sink.seen.length - from, 2);
    client.destroy();
  }
});

test('QoS 2: a repeated identifier is not stored twice', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    const from = mqtt.sink.seen.length;
    mqtt.sink.hold();
    client.send(publishPacket(version, '34', 5, telemetry, '{"n":1}'));
    // Again before the first is durable: one PUBREC for both.
    client.send(publishPacket(version, '3c', 5, telemetry, '{"n":1}'));
    assert.deepEqual(await client.ping(), []);
    mqtt.sink.release();
    assert.equal(await client.packet(), '50020005');
    // Again after the PUBREC: the PUBREC again.
    client.send(publishPacket(version, '3c', 5, telemetry, '{"n":1}'));
    assert.equal(await client.packet(), '50020005');
    assert.equal(mqtt.sink.seen.length - from, 1);
    client.send('62020005');
    assert.equal(await client.packet(), '70020005');
    // After PUBREL the identifier is another message's.
    client.send(publishPacket(version, '34', 5, telemetry, '{"n":2}'));
    assert.equal(await client.packet(), '50020005');
    assert.equal(mqtt.sink.seen.length - from, 2);
    // PUBREL of an identifier that is not known.
    client.send('62020006');
    assert.equal(await client.packet(), version === 5 ? '7003000692' : '70020006');
    client.destroy();
  }
});

test('PUBREL before its PUBREC is an error', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    mqtt.sink.hold();
    client.send(`${publishPacket(version, '34', 5, telemetry, '{}')}62020005`);
    assert.equal(await client.rest(), version === 5 ? 'e00182' : '');
    mqtt.sink.release();
  }
});

test('acknowledgements follow the order of receipt', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    mqtt.sink.hold();
    const payloads = ['{}', '!1', '{}', '!64', '{}'];
    const sent = payloads.map((payload, index) =>
      payload === '!64' && version < 5
        ? publishPacket(version, '32', index + 1, 'unknown', '{}')
        : publishPacket(version, '32', index + 1, telemetry, payload),
    );
    client.send(sent.join(''));
    await client.ping();
    mqtt.sink.release();
    const identifiers: string[] = [];
    for (let index = 0; index < 5; index++) {
      identifiers.push((await client.packet()).slice(4, 8));
    }
    assert.deepEqual(identifiers, ['0001', '0002', '0003', '0004', '0005']);
    client.destroy();
  }
});

test('a flood of QoS 1 is acknowledged completely and in order', async () => {
  const client = await connected(mqtt, 4);
  const count = 20_000;
  const sent: string[] = [];
  for (let identifier = 1; identifier <= count; identifier++) {
    sent.push(publishPacket(4, '32', identifier, telemetry, `{"n":${identifier}}`));
  }
  const from = mqtt.sink.seen.length;
  client.send(sent.join(''));
  for (let identifier = 1; identifier <= count; identifier++) {
    assert.equal(await client.packet(), `4002${identifier.toString(16).padStart(4, '0')}`);
  }
  const seen = mqtt.sink.seen.slice(from).map(({ payload }) => payload);
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, index) => `{"n":${index + 1}}`),
  );
  client.destroy();
});

test('3.1.1 may have more than a hundred QoS 2 messages open', async () => {
  const client = await connected(mqtt, 4);
  const identifiers = Array.from({ length: 1000 }, (_, index) => index + 1);
  const hexOf = (identifier: number): string => identifier.toString(16).padStart(4, '0');
  client.send(identifiers.map((id) => publishPacket(4, '34', id, telemetry, '{}')).join(''));
  for (const id of identifiers) assert.equal(await client.packet(), `5002${hexOf(id)}`);
  client.send(identifiers.map((id) => `6202${hexOf(id)}`).join(''));
  for (const id of identifiers) assert.equal(await client.packet(), `7002${hexOf(id)}`);
  client.destroy();
});

test('messages are counted by QoS and kind', async () => {
  const own = await startMqtt();
  const client = await connected(own, 4);
  for (const first of ['30', '32', '34']) {
    client.send(publishPacket(4, first, 1, telemetry, '{}'));
    client.send(publishPacket(4, first, 2, 'v2/a', '{}'));
    client.send(publishPacket(4, first, 3, 'v2/a', '{}'));
  }
  client.send(publishPacket(4, '32', 4, 'unknown', '{}'));
  await waitFor(() => own.sink.seen.length === 10);
  await new Promise((resolve) => setTimeout(resolve, 250));
  const count = (qos: string, kind: string): Promise<number> =>
    metricValue(own.metrics.messagesReceived, { protocol: 'mqtt', qos, kind });
  for (const qos of ['0', '1', '2']) {
    assert.equal(await count(qos, 'telemetry'), 1);
    assert.equal(await count(qos, 'attributes'), 2);
  }
  assert.equal(await count('1', 'other'), 1);
  await own.stop();
});
