import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { MessageKind } from '../../src/normalise/batch-layout.js';
import { type MqttHarness, startMqtt } from '../support/mqtt.js';
import { telemetry } from '../support/mqtt-bytes.js';

// Clients of other people: npm mqtt with 3.1, 3.1.1 and 5.0, and mosquitto's.

const run = promisify(execFile);
let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt();
});
after(async () => {
  await mqtt.stop();
});

type ProtocolVersion = 3 | 4 | 5;
const protocolVersions: readonly ProtocolVersion[] = [3, 4, 5];

function open(protocolVersion: ProtocolVersion, more: IClientOptions = {}): Promise<MqttClient> {
  return connectAsync(`mqtt://127.0.0.1:${mqtt.port}`, {
    protocolVersion,
    ...(protocolVersion === 3 ? { protocolId: 'MQIsdp' } : {}),
    clientId: 'npm mqtt',
    username: 'token',
    reconnectPeriod: 0,
    ...more,
  });
}

/** What arrived since `from`, as `topic payload`. */
function seenSince(from: number): string[] {
  return mqtt.sink.seen.slice(from).map(({ topic, payload }) => `${topic} ${payload}`);
}

test('npm mqtt: QoS 0, 1 and 2', async () => {
  for (const version of protocolVersions) {
    const client = await open(version);
    const from = mqtt.sink.seen.length;
    for (const qos of [0, 1, 2] as const) {
      await client.publishAsync(telemetry, `{"qos":${qos}}`, { qos });
    }
    await client.publishAsync('v2/a', Buffer.from('{"model":"X"}'), { qos: 1 });
    const expected = [0, 1, 2].map((qos) => `${telemetry} {"qos":${qos}}`);
    assert.deepEqual(seenSince(from), [...expected, 'v2/a {"model":"X"}']);
    await client.endAsync();
  }
});

test('npm mqtt: a backlog of a thousand messages at once', async () => {
  for (const version of protocolVersions) {
    // This client takes no notice of Receive Maximum, to which 5.0 holds it at QoS 2.
    for (const qos of version === 5 ? ([1] as const) : ([1, 2] as const)) {
      const client = await open(version);
      const from = mqtt.sink.seen.length;
      await Promise.all(
        Array.from({ length: 1000 }, (_, index) =>
          client.publishAsync(telemetry, `{"n":${index}}`, { qos }),
        ),
      );
      assert.equal(mqtt.sink.seen.length - from, 1000);
      await client.endAsync();
    }
  }
});

test('npm mqtt: subscriptions and their reason codes', async () => {
  for (const version of protocolVersions) {
    const client = await open(version);
    const granted = await client.subscribeAsync({
      'v1/devices/me/attributes': { qos: 1 },
      'v1/devices/me/rpc/request/+': { qos: 2 },
    });
    assert.deepEqual(
      granted.map(({ qos }) => qos),
      [1, 1],
    );
    await assert.rejects(client.subscribeAsync('no/such/topic', { qos: 0 }));
    await client.unsubscribeAsync('v1/devices/me/attributes');
    await client.endAsync();
  }
});

test('npm mqtt: reason codes and Reason Strings of 5.0', async () => {
  const client = await open(5);
  const refusal = async (topic: string, payload: string): Promise<unknown> => {
    const sent = client.publishAsync(topic, payload, { qos: 1 });
    const error: unknown = await sent.catch((thrown: unknown) => thrown);
    return error instanceof Error && 'code' in error ? error.code : error;
  };
  assert.equal(await refusal(telemetry, '!1'), 0x99);
  assert.equal(await refusal('no/such/topic', '{}'), 0x90);
  assert.equal(await refusal('v1/gateway/telemetry', '{}'), 0x87);
  await client.publishAsync(telemetry, '{}', { qos: 1, properties: { topicAlias: 1 } });
  await client.publishAsync('', '{"alias":1}', { qos: 1, properties: { topicAlias: 1 } });
  assert.equal(mqtt.sink.seen.at(-1)?.topic, telemetry);
  await client.endAsync();
});

test('npm mqtt: refused connections', async () => {
  const refusal = async (version: ProtocolVersion, username: string): Promise<unknown> => {
    const more = { username };
    const error: unknown = await open(version, more).catch((thrown) => thrown);
    return error instanceof Error && 'code' in error ? error.code : error;
  };
  assert.equal(await refusal(4, 'wrong'), 4);
  assert.equal(await refusal(5, 'wrong'), 0x86);
  assert.equal(await refusal(4, ''), 5);
  assert.equal(await refusal(5, ''), 0x87);
});

test('npm mqtt: a will, and a take-over', async () => {
  for (const version of protocolVersions) {
    const will = { topic: telemetry, payload: Buffer.from('{"gone":1}'), qos: 1 as const };
    const first = await open(version, { will });
    first.on('error', () => {});
    const closed = new Promise<void>((resolve) => first.once('close', () => resolve()));
    const from = mqtt.sink.seen.length;
    const second = await open(version);
    await closed;
    await second.publishAsync(telemetry, '{}', { qos: 1 });
    assert.deepEqual(seenSince(from).sort(), [`${telemetry} {"gone":1}`, `${telemetry} {}`]);
    await second.endAsync();
  }
});

const versionFlags: readonly string[] = ['mqttv31', 'mqttv311', 'mqttv5'];

/** Arguments that every mosquitto client gets. */
function common(flag: string, ...more: string[]): string[] {
  return ['-h', '127.0.0.1', '-p', String(mqtt.port), '-V', flag, '-u', 'token', ...more];
}

test('mosquitto_pub in every version and QoS', async () => {
  for (const flag of versionFlags) {
    for (const qos of ['0', '1', '2']) {
      const from = mqtt.sink.seen.length;
      const payload = `{"temperature":25.${qos}}`;
      await run('mosquitto_pub', common(flag, '-q', qos, '-t', telemetry, '-m', payload));
      while (mqtt.sink.seen.length === from) await new Promise((next) => setTimeout(next, 5));
      assert.deepEqual(seenSince(from), [`${telemetry} ${payload}`]);
      assert.equal(mqtt.sink.seen.at(-1)?.kind, MessageKind.telemetryJson);
    }
  }
});

test('mosquitto_pub reading lines, and what it says when it is refused', async () => {
  for (const flag of versionFlags) {
    const from = mqtt.sink.seen.length;
    const child = spawn('mosquitto_pub', common(flag, '-q', '1', '-t', 'v2/t', '-l'));
    child.stdin.end(Array.from({ length: 200 }, (_, index) => `{"line":${index}}\n`).join(''));
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    assert.equal(mqtt.sink.seen.length - from, 200);
    const wrong = common(flag, '-t', telemetry, '-m', '{}').map((argument) =>
      argument === 'token' ? 'wrong' : argument,
    );
    await assert.rejects(run('mosquitto_pub', wrong), /(?:bad user name or password|not authori)/i);
  }
});

test('mosquitto_sub is granted what exists and told what does not', async () => {
  for (const flag of versionFlags) {
    const filters = ['-t', 'v1/devices/me/attributes', '-t', '#', '-t', 'no/such'];
    // -E: exits when all subscriptions are acknowledged.
    const { stdout } = await run('mosquitto_sub', common(flag, '-d', '-E', '-q', '2', ...filters));
    // 3.x says 128, 5.0 says 143: topic filter invalid.
    assert.match(stdout, flag === 'mqttv5' ? /: 1, 1, 143/ : /: 1, 1, 128/);
  }
});
