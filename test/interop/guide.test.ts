import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { connectAsync } from 'mqtt';
import { NodeProcess } from '../support/node-process.js';

/** The guide's own commands and payloads, sent by third-party clients and read back with SQL. */
const run = promisify(execFile);
const node = new NodeProcess();

interface Point {
  key: string;
  ts: string;
  type: string;
  value: number | null;
  long: string | number | null;
  text: string;
}

before(async () => {
  await node.start();
});
after(async () => {
  await node.dispose();
});

/** The points of a device once there are `count`, as [key, type, text], in the order of keys. */
async function points(device: string, count: number): Promise<string[][]> {
  const rows = await node.sqlUntil<Point>(
    `SELECT key, ts, type, value, long, text FROM points
     WHERE device = '${device}' ORDER BY key, ts`,
    (found) => found.length >= count,
  );
  return rows.map((row) => [row.key, row.type, row.text]);
}

async function mosquittoPub(token: string, topic: string, ...rest: string[]): Promise<string> {
  const { stdout, stderr } = await run('mosquitto_pub', [
    '-d',
    '-h',
    '127.0.0.1',
    '-p',
    String(node.ports.mqtt),
    '-u',
    token,
    '-t',
    topic,
    ...rest,
  ]);
  return stdout + stderr;
}

async function curl(token: string, path: string, body: string, ...rest: string[]): Promise<string> {
  const { stdout } = await run('curl', [
    '-s',
    '-w',
    '%{http_code}',
    '-X',
    'POST',
    '--data',
    body,
    `http://127.0.0.1:${node.ports.http}/api/v1/${token}/${path}`,
    ...rest,
  ]);
  return stdout;
}

test('mosquitto_pub as in the guide, QoS 0, 1 and 2, MQTT 3.1, 3.1.1 and 5', async () => {
  const { token } = await node.createDevice('mosquitto');
  let temperature = 20;
  for (const version of ['mqttv31', 'mqttv311', 'mqttv5']) {
    for (const qos of ['0', '1', '2']) {
      temperature += 1;
      const payload = `{"temperature":${temperature},"${version}-${qos}":true}`;
      const said = await mosquittoPub(
        token,
        'v1/devices/me/telemetry',
        '-q',
        qos,
        '-V',
        version,
        '-m',
        payload,
      );
      assert.match(said, /received CONNACK \(0\)/);
    }
  }
  const stored = await points('mosquitto', 18);
  assert.equal(stored.filter(([key]) => key === 'temperature').length, 9);
  assert.deepEqual(stored[0], ['mqttv31-0', 'bool', 'true']);
});

test('mosquitto_pub with a wrong token and without one: CONNACK 4 and 5', async () => {
  const refused = async (args: string[]): Promise<string> => {
    try {
      await run('mosquitto_pub', [
        '-d',
        '-h',
        '127.0.0.1',
        '-p',
        String(node.ports.mqtt),
        '-t',
        'v1/devices/me/telemetry',
        '-m',
        '{}',
        ...args,
      ]);
    } catch (thrown) {
      return String((thrown as { stdout: string }).stdout);
    }
    return assert.fail('mosquitto_pub was accepted');
  };
  assert.match(await refused(['-u', 'no-such-token']), /received CONNACK \(4\)/);
  assert.match(await refused([]), /received CONNACK \(5\)/);
  assert.match(await refused(['-u', 'no-such-token', '-V', 'mqttv5']), /received CONNACK \(134\)/);
  assert.match(await refused(['-V', 'mqttv5']), /received CONNACK \(135\)/);
});

test('mosquitto_sub is granted the downlink topics', async () => {
  const { token } = await node.createDevice('subscriber');
  const { stdout } = await run('mosquitto_sub', [
    '-d',
    '-h',
    '127.0.0.1',
    '-p',
    String(node.ports.mqtt),
    '-u',
    token,
    '-q',
    '1',
    '-t',
    'v1/devices/me/rpc/request/+',
    '-t',
    'v1/devices/me/attributes',
    '-t',
    'no/such/topic',
    '-W',
    '1',
  ]).catch((thrown: { stdout: string }) => thrown);
  assert.match(stdout, /Subscribed \(mid: \d+\): 1, 1, 128/);
});

test('curl as in the guide, with and without a Content-Type', async () => {
  const { token } = await node.createDevice('curl');
  const json = ['--header', 'Content-Type:application/json'];
  assert.equal(await curl(token, 'telemetry', '{"temperature":42,"humidity":73}', ...json), '200');
  assert.equal(await curl(token, 'telemetry', '{"form":1}'), '200');
  assert.equal(await curl(token, 'attributes', '{"firmwareVersion":"1.2.3"}', ...json), '200');
  assert.equal(
    await curl(
      token,
      'telemetry',
      '{"ts":1451649600512,"values":{"temperature":25,"humidity":65}}',
      ...json,
    ),
    '200',
  );
  assert.match(await curl(token, 'telemetry', '{"broken":', ...json), /"status":400.*400$/);
  assert.match(await curl('nobody', 'telemetry', '{"a":1}'), /401$/);
  const stored = await points('curl', 5);
  assert.deepEqual(stored, [
    ['form', 'long', '1'],
    ['humidity', 'long', '65'],
    ['humidity', 'long', '73'],
    ['temperature', 'long', '25'],
    ['temperature', 'long', '42'],
  ]);
  const [dated] = await node.sql<Point>(
    "SELECT toUnixTimestamp64Milli(ts) AS ts FROM points WHERE device='curl' AND text='25'",
  );
  assert.equal(String(dated?.ts), '1451649600512');
});

test('each data format of the guide keeps its types', async () => {
  const { token } = await node.createDevice('formats');
  const payloads = [
    '{"stringKey":"value1","booleanKey":true,"doubleKey":42.0,"longKey":73}',
    '{"temperature":25.5,"location":{"latitude":51.5074,"longitude":-0.1278},"sensors":[1, 2, 3]}',
    '[{"key1":"value1"},{"key2":true}]',
    '{"exact":9007199254740993,"lowest":-9223372036854775808,"exponent":1e3}',
  ];
  for (const payload of payloads) {
    await mosquittoPub(token, 'v1/devices/me/telemetry', '-q', '1', '-m', payload);
  }
  assert.deepEqual(await points('formats', 12), [
    ['booleanKey', 'bool', 'true'],
    ['doubleKey', 'double', '42'],
    ['exact', 'long', '9007199254740993'],
    ['exponent', 'double', '1000'],
    ['key1', 'string', 'value1'],
    ['key2', 'bool', 'true'],
    ['location', 'json', '{"latitude":51.5074,"longitude":-0.1278}'],
    ['longKey', 'long', '73'],
    ['lowest', 'long', '-9223372036854775808'],
    ['sensors', 'json', '[1,2,3]'],
    ['stringKey', 'string', 'value1'],
    ['temperature', 'double', '25.5'],
  ]);
  const types = await node.sql(
    `SELECT toTypeName(value) AS v, toTypeName(long) AS l FROM points
     WHERE device = 'formats' LIMIT 1`,
  );
  assert.deepEqual(types, [{ v: 'Nullable(Float64)', l: 'Nullable(Int64)' }]);
});

test('npm mqtt, 3.1.1 and 5, QoS 0 to 2, on each telemetry topic', async () => {
  const { token } = await node.createDevice('npm-mqtt');
  let sent = 0;
  for (const protocolVersion of [4, 5] as const) {
    const client = await connectAsync(`mqtt://127.0.0.1:${node.ports.mqtt}`, {
      username: token,
      protocolVersion,
    });
    for (const topic of ['v1/devices/me/telemetry', 'v2/t', 'v2/t/j']) {
      for (const qos of [0, 1, 2] as const) {
        sent += 1;
        await client.publishAsync(topic, `{"n${sent}":${sent}}`, { qos });
      }
    }
    await client.endAsync();
  }
  assert.equal((await points('npm-mqtt', sent)).length, 18);
});

test('MQTT 5 tells why a payload was refused, and the connection stays', async () => {
  const { token } = await node.createDevice('refused');
  const client = await connectAsync(`mqtt://127.0.0.1:${node.ports.mqtt}`, {
    username: token,
    protocolVersion: 5,
  });
  await assert.rejects(client.publishAsync('v2/t', '{"a":1,}', { qos: 1 }), /0x99|153|format/i);
  await assert.rejects(client.publishAsync('no/such/topic', '{}', { qos: 1 }), /144|Topic/i);
  await client.publishAsync('v2/t', '{"a":2}', { qos: 1 });
  await client.endAsync();
  assert.deepEqual(await points('refused', 1), [['a', 'long', '2']]);
  const rejected = await node.sqlUntil<Record<string, string>>(
    `SELECT device, protocol, topic, reason, payload FROM rejected
     WHERE device = 'refused' ORDER BY topic`,
    (rows) => rows.length === 2,
  );
  assert.deepEqual(rejected[1], {
    device: 'refused',
    protocol: 'mqtt',
    topic: 'v2/t',
    reason: 'malformed JSON at byte 7',
    payload: '{"a":1,}',
  });
  assert.equal(rejected[0]?.['topic'], 'no/such/topic');
});

test('the Python example of the guide with paho', async () => {
  const { token } = await node.createDevice('paho');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-paho-'));
  const script = join(folder, 'example.py');
  // The guide's program; only the port is not 1883 here.
  writeFileSync(
    script,
    `import paho.mqtt.client as mqtt
import json
import time

client = mqtt.Client()
client.username_pw_set("${token}")
client.connect("127.0.0.1", ${node.ports.mqtt}, 60)

telemetry = {"temperature": 25.5, "humidity": 65}
client.publish('v1/devices/me/telemetry', json.dumps(telemetry))

client.loop_start()
time.sleep(1)
client.loop_stop()
client.disconnect()
`,
  );
  try {
    await run('/usr/bin/python3', [script]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.deepEqual(await points('paho', 2), [
    ['humidity', 'long', '65'],
    ['temperature', 'double', '25.5'],
  ]);
});

test('client attributes are acknowledged over both protocols and are no telemetry', async () => {
  const { token } = await node.createDevice('attributes');
  const payload = '{"firmwareVersion":"1.2.3","serialNumber":"SN-12345"}';
  await mosquittoPub(token, 'v1/devices/me/attributes', '-q', '1', '-m', payload);
  await mosquittoPub(token, 'v2/a', '-q', '1', '-m', '{"a":1}');
  await mosquittoPub(token, 'v2/a/j', '-q', '1', '-m', '{"b":2}');
  assert.equal(await curl(token, 'attributes', payload), '200');
  assert.match(await curl(token, 'attributes', '[1]'), /400$/);
  await mosquittoPub(token, 'v1/devices/me/telemetry', '-q', '1', '-m', '{"last":1}');
  assert.deepEqual(await points('attributes', 1), [['last', 'long', '1']]);
});
