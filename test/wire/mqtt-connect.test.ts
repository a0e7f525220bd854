import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type MqttHarness, metricValue, startMqtt } from '../support/mqtt.js';
import {
  connectPacket,
  packet,
  publishPacket,
  telemetry,
  text,
  type Version,
  versions,
} from '../support/mqtt-bytes.js';
import { ManualClock } from '../support/mqtt-parts.js';

// CONNECT and the CONNACK that answers it, byte by byte, in every version.

let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt({ keepAliveSecondsMax: 600 });
  mqtt.addDevice('disabled', { enabled: false });
});
after(async () => {
  await mqtt.stop();
});

/** Sends the bytes of one connection; returns all that comes back until the server closes. */
async function exchange(bytes: string): Promise<string> {
  const client = await mqtt.connect();
  client.send(bytes);
  return client.rest();
}

/** Expected bytes of a refusal; empty: closed without a CONNACK. */
async function checkRefused(bytes: string, expected: string): Promise<void> {
  assert.equal(await exchange(bytes), expected.replaceAll(/\s+/g, ''), bytes);
}

/** A refusal in 5.0 with a Reason String. */
function refused(code: string, reason: string): string {
  const body = `1f ${text(reason)}`.replaceAll(/\s+/g, '');
  const length = (body.length / 2).toString(16).padStart(2, '0');
  return packet('20', `00 ${code} ${length} ${body}`);
}

const limits5 = '11 00000000 21 0064 25 00 27 00040000';
const rest5 = '22 0010 28 01 29 00 2a 00';

async function checkAccepted(bytes: string, expected: string): Promise<void> {
  const client = await mqtt.connect();
  client.send(bytes);
  assert.equal(await client.packet(), expected.replaceAll(/\s+/g, ''), bytes);
  client.send('e000');
  assert.equal(await client.rest(), '');
}

test('an access token is enough, in every version', async () => {
  await checkAccepted(connectPacket(3), '20 02 00 00');
  await checkAccepted(connectPacket(4), '20 02 00 00');
  // 5.0 asked for keep alive 0; the configured maximum of 600 s is granted and told.
  const properties = `${limits5} ${rest5} 13 0258`;
  await checkAccepted(connectPacket(5), packet('20', `00 00 1b ${properties}`));
});

test('a keep alive within the maximum is not commented', async () => {
  const connect = packet('10', `${text('MQTT')} 05 82 003c 00 ${text('k')} ${text('token')}`);
  await checkAccepted(connect, packet('20', `00 00 18 ${limits5} ${rest5}`));
});

test('a password is not looked at', async () => {
  const end = `${text('token')} ${text('anything')}`;
  await checkAccepted(packet('10', `${text('MQTT')} 04 c2 003c ${text('p')} ${end}`), '20020000');
});

test('without a clean session Session Present is 0 too', async () => {
  const connect = packet('10', `${text('MQTT')} 04 80 003c ${text('s')} ${text('token')}`);
  await checkAccepted(connect, '20020000');
});

test('an empty client identifier', async () => {
  await checkAccepted(connectPacket(4, ''), '20 02 00 00');
  const dirty = packet('10', `${text('MQTT')} 04 80 0000 ${text('')} ${text('token')}`);
  await checkRefused(dirty, '20 02 00 02'); // [MQTT-3.1.3-8]
  await checkRefused(connectPacket(3, ''), '20 02 00 02');
  for (const flags of ['82', '80']) {
    const connect = packet(
      '10',
      `${text('MQTT')} 05 ${flags} 0001 00 ${text('')} ${text('token')}`,
    );
    const client = await mqtt.connect();
    client.send(connect);
    const connack = await client.packet();
    // 12: Assigned Client Identifier, 43 characters.
    const identifier = Buffer.from(connack.slice(46, 46 + 86), 'hex').toString();
    assert.match(identifier, /^sluice-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(connack, packet('20', `00 00 46 ${limits5} 12 ${text(identifier)} ${rest5}`));
    client.destroy();
  }
});

test('client identifiers that are not acceptable', async () => {
  await checkAccepted(connectPacket(3, 'x'.repeat(23)), '20 02 00 00');
  await checkRefused(connectPacket(3, 'x'.repeat(24)), '20 02 00 02');
  await checkAccepted(connectPacket(4, 'x'.repeat(1024)), '20 02 00 00');
  await checkRefused(connectPacket(4, 'x'.repeat(1025)), '20 02 00 02');
  await checkRefused(connectPacket(4, 'a\tb'), '20 02 00 02');
  await checkRefused(connectPacket(4, 'a\u0085b'), '20 02 00 02');
  await checkRefused(
    connectPacket(5, 'a\u007fb'),
    refused('85', 'client identifier with a control character'),
  );
  await checkAccepted(connectPacket(4, 'Gerät #1 +'), '20 02 00 00');
});

test('credentials: unknown, absent, disabled', async () => {
  for (const version of [3, 4] as const) {
    await checkRefused(connectPacket(version, 'c', 'wrong'), '20 02 00 04');
    await checkRefused(connectPacket(version, 'c', 'TOKEN'), '20 02 00 04');
    await checkRefused(connectPacket(version, 'c', 'to\nken'), '20 02 00 04');
    await checkRefused(connectPacket(version, 'c', ''), '20 02 00 05');
    await checkRefused(packet('10', connectBody(version)), '20 02 00 05');
    await checkRefused(connectPacket(version, 'c', 'disabled'), '20 02 00 05');
  }
  await checkRefused(connectPacket(5, 'c', 'wrong'), refused('86', 'unknown access token'));
  await checkRefused(connectPacket(5, 'c', ''), refused('87', 'the user name is the access token'));
  await checkRefused(
    packet('10', connectBody(5)),
    refused('87', 'the user name is the access token'),
  );
  await checkRefused(connectPacket(5, 'c', 'disabled'), refused('87', 'the device is disabled'));
});

/** A CONNECT body without a user name. */
function connectBody(version: Version): string {
  const name = version === 3 ? 'MQIsdp' : 'MQTT';
  return `${text(name)} 0${version} 02 0000 ${version === 5 ? '00' : ''} ${text('c')}`;
}

test('protocol levels that we do not speak', async () => {
  await checkRefused(packet('10', `${text('MQTT')} 03 02 0000 ${text('c')}`), '20 02 00 01');
  await checkRefused(packet('10', `${text('MQIsdp')} 04 02 0000 ${text('c')}`), '20 02 00 01');
  await checkRefused(packet('10', `${text('MQTT')} 84 02 0000 ${text('c')}`), '20 02 00 01');
  await checkRefused(packet('10', `${text('MQTT')} 06 02 0000 00 ${text('c')}`), '20 03 00 84 00');
  await checkRefused(packet('10', `${text('HTTP')} 04 02 0000 ${text('c')}`), '');
});

test('malformed CONNECT: 3.x is closed, 5.0 is told', async () => {
  await checkRefused(packet('10', `${text('MQTT')} 04 03 0000 ${text('c')}`), '');
  await checkRefused(packet('10', `${text('MQTT')} 04 82 0000 ${text('c')}`), '');
  await checkRefused(packet('10', `${text('MQTT')} 05 03 0000 00 ${text('c')}`), '20 03 00 81 00');
  await checkRefused(connectPacket(5, 'c', 'token', '21 0000'), '20 03 00 82 00');
  await checkRefused(connectPacket(5, 'c', 'token', '7f 00'), '20 03 00 81 00');
});

test('what 5.0 asks for and does not get', async () => {
  const scram = `15 ${text('SCRAM-SHA-1')}`;
  await checkRefused(
    connectPacket(5, 'c', 'token', scram),
    refused('8c', 'no enhanced authentication'),
  );
  await checkRefused(connectPacket(5, 'c', 'token', '16 0001 00'), '20 03 00 82 00');
  const will = `${text('t')} ${text('p')}`;
  const connect = `${text('MQTT')} 05 a6 0000 00 ${text('c')} 00 ${will} ${text('token')}`;
  await checkRefused(packet('10', connect), refused('9a', 'no retained messages'));
});

test('the Reason String of a CONNACK gives way to Maximum Packet Size', async () => {
  await checkRefused(connectPacket(5, 'c', 'wrong', '27 00000014'), '20 03 00 86 00');
  await checkRefused(connectPacket(5, 'c', 'wrong', '27 00000004'), '');
  // A success that does not fit cannot be told either.
  await checkRefused(connectPacket(5, 'c', 'token', '27 00000014'), '');
});

test('the first packet is a CONNECT, of at most 8 KiB', async () => {
  // Decided by the first byte.
  for (const first of ['c0', '82080001000461', '30050001617b7d', 'e000', 'f0', '00', 'ff', '20']) {
    await checkRefused(first, '');
  }
  await checkRefused('16030100a5010000a10303', ''); // A TLS ClientHello
  await checkRefused(Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex'), '');
  // Decided by the declared length: nothing but the header has to come.
  await checkRefused('10 fe3f', '');
  await checkRefused('10 ffffff7f', '');
  await checkRefused('10 ffffffff', '');
  const full = 8192 - 3;
  const rest = full - (2 + 4 + 1 + 1 + 2) - 3 - (2 + 5) - 2;
  const end = `${text('token')} ${text('p'.repeat(rest))}`;
  const largest = packet('10', `${text('MQTT')} 04 c2 0000 ${text('c')} ${end}`);
  assert.equal(largest.length / 2, 8192);
  await checkAccepted(largest, '20 02 00 00');
});

test('a CONNECT may come one byte at a time', async () => {
  for (const version of versions) {
    const client = await mqtt.connect();
    for (const byte of Buffer.from(connectPacket(version, 'slow'), 'hex')) {
      client.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(await client.packet(), /^20..0000/);
    client.destroy();
  }
});

test('packets behind CONNECT in one segment are handled', async () => {
  for (const version of versions) {
    const client = await mqtt.connect();
    const publish = publishPacket(version, '32', 1, telemetry, '{"a":1}');
    client.send(`${connectPacket(version, 'pipeline')}${publish}c000`);
    assert.match(await client.packet(), /^20..0000/);
    assert.deepEqual([await client.packet(), await client.packet()].sort(), ['40020001', 'd000']);
    client.destroy();
  }
});

test('what follows a refused CONNECT is not processed', async () => {
  for (const version of versions) {
    const from = mqtt.sink.seen.length;
    const client = await mqtt.connect();
    const publish = publishPacket(version, '32', 1, telemetry, '{"a":1}');
    client.send(connectPacket(version, 'c', 'wrong') + publish); // [MQTT-3.1.4-6]
    assert.match(await client.rest(), version === 5 ? /^20..0086/ : /^20020004$/);
    await mqtt.idle();
    assert.equal(mqtt.sink.seen.length, from);
  }
});

test('a token that is not in memory is asked for, and what is pipelined waits', async () => {
  mqtt.credentials.cold.set('cold', mqtt.device);
  for (const version of versions) {
    const open = mqtt.credentials.block();
    const client = await mqtt.connect();
    const seenBefore = mqtt.sink.seen.length;
    const publishes = Array.from({ length: 300 }, (_, index) =>
      publishPacket(version, '30', 0, telemetry, `{"n":${index}}`),
    );
    client.send(connectPacket(version, 'cold', 'cold') + publishes.join(''));
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(mqtt.sink.seen.length, seenBefore);
    open();
    assert.match(await client.packet(), /^20..0000/);
    await client.ping();
    await settled(seenBefore + 300);
    const seen = mqtt.sink.seen.slice(seenBefore).map(({ payload }) => payload);
    assert.deepEqual(
      seen,
      Array.from({ length: 300 }, (_, index) => `{"n":${index}}`),
    );
    client.destroy();
  }
});

async function settled(messages: number): Promise<void> {
  while (mqtt.sink.seen.length < messages) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a will that waits with its CONNECT is not the bytes of the next read', async () => {
  const open = mqtt.credentials.block();
  const client = await mqtt.connect();
  const will = `${text(telemetry)} ${text('{"will":1}')}`;
  const connect = `${text('MQTT')} 04 86 0000 ${text('w')} ${will} ${text('cold')}`;
  client.send(packet('10', connect));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const other = await mqtt.connect();
  other.send(Buffer.alloc(60_000, 0xc0));
  await other.closed;
  const seenBefore = mqtt.sink.seen.length;
  open();
  assert.equal(await client.packet(), '20020000');
  client.destroy();
  await settled(seenBefore + 1);
  assert.equal(mqtt.sink.seen[seenBefore]?.payload, '{"will":1}');
});

test('a registry that is out of reach', async () => {
  mqtt.credentials.failing = true;
  await checkRefused(connectPacket(3, 'c', 'nobody'), '20 02 00 03');
  await checkRefused(connectPacket(4, 'c', 'nobody'), '20 02 00 03');
  await checkRefused(
    connectPacket(5, 'c', 'nobody'),
    refused('88', 'the registry does not answer'),
  );
  // A device in memory does not notice.
  await checkAccepted(connectPacket(4), '20 02 00 00');
  mqtt.credentials.failing = false;
});

test('a storm of unknown tokens asks the registry a few at a time', async () => {
  const open = mqtt.credentials.block();
  for (let index = 0; index < 200; index++) mqtt.credentials.cold.set(`c${index}`, mqtt.device);
  mqtt.credentials.askedAtOnceMax = 0;
  const clients = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const client = await mqtt.connect();
      client.send(connectPacket(4, `storm ${index}`, `c${index}`));
      return client;
    }),
  );
  while (mqtt.credentials.askedAtOnceMax < 64) await new Promise((next) => setTimeout(next, 5));
  await new Promise((resolve) => setTimeout(resolve, 100));
  open();
  for (const client of clients) {
    assert.equal(await client.packet(), '20020000');
    client.destroy();
  }
  assert.equal(mqtt.credentials.askedAtOnceMax, 64);
});

test('no CONNECT within ten seconds, and no answer of the registry within ten', async () => {
  const clock = new ManualClock();
  const own = await startMqtt({}, clock);
  own.credentials.cold.set('cold', own.device);
  const open = own.credentials.block();
  const silent = await own.connect();
  const slow = await own.connect();
  slow.send('10 20 0004');
  const waiting = await own.connect();
  waiting.send(connectPacket(4, 'c', 'cold'));
  const other = await own.connect();
  other.send(connectPacket(4));
  assert.equal(await other.packet(), '20020000');
  clock.advance(9_500);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await other.ping();
  assert.equal(silent.socket.closed, false);
  clock.advance(1_000);
  assert.equal(await silent.rest(), '');
  assert.equal(await slow.rest(), '');
  assert.equal(await waiting.rest(), '20020003');
  await other.ping();
  open();
  const deadlines = { protocol: 'mqtt', reason: 'connectDeadline' };
  assert.equal(await metricValue(own.metrics.connectionsRefused, deadlines), 2);
  await own.stop();
});

test('above connectionsMax a connection is closed at once', async () => {
  const own = await startMqtt({ connectionsMax: 2 });
  const first = await own.connect();
  first.send(connectPacket(4, 'a'));
  await first.packet();
  await own.connect();
  const third = await own.connect();
  assert.equal(await third.rest(), '');
  first.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const fourth = await own.connect();
  fourth.send(connectPacket(4, 'b'));
  assert.equal(await fourth.packet(), '20020000');
  const refusals = { protocol: 'mqtt', reason: 'connectionsMax' };
  assert.equal(await metricValue(own.metrics.connectionsRefused, refusals), 1);
  assert.equal(await metricValue(own.metrics.connections), 2);
  await own.stop();
});
