import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openDataDirectory } from '../../../src/registry/data-dir.js';
import { runIn } from '../../support/run-program.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-cli-publish-'));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

const run = (...argv: string[]) => runIn(directory, ['publish', ...argv]);

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Answers the packets of one client, in order; `received` is what came, in hexadecimal. */
async function mqttServer(...answers: string[]): Promise<{ port: number; received: string[] }> {
  const received: string[] = [];
  const port = await listen(
    createServer((socket) => {
      socket.on('data', (chunk) => {
        received.push(chunk.toString('hex'));
        const answer = answers[received.length - 1];
        if (answer === '') socket.end();
        else if (answer !== undefined) socket.write(Buffer.from(answer, 'hex'));
      });
      socket.on('error', () => {});
    }),
  );
  return { port, received };
}

const connackAccepted = '2003000000';

test('CONNECT, PUBLISH with QoS 1 and DISCONNECT are written as MQTT 5.0 says', async () => {
  const { port, received } = await mqttServer(connackAccepted, '40020001');
  const url = `mqtt://127.0.0.1:${port}`;
  const { code, stdout, stderr } = await run('{"a":1}', '--token', 'T1', '--url', url);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.equal(
    received[0],
    // CONNECT, 17 bytes: MQTT, 5, clean start and user name, 60 s, no properties, '', 'T1'
    '1011' + '00044d515454' + '05' + '82' + '003c' + '00' + '0000' + '00025431',
  );
  assert.equal(
    received[1],
    // PUBLISH QoS 1, 35 bytes: topic, packet identifier 1, no properties, payload
    '3223' +
      '0017' +
      Buffer.from('v1/devices/me/telemetry').toString('hex') +
      '0001' +
      '00' +
      Buffer.from('{"a":1}').toString('hex'),
  );
  assert.equal(
    stdout.replaceAll(/ +\d+\.\d ms/g, ' … ms'),
    `acknowledged over MQTT by 127.0.0.1:${port}\n` +
      '  connect … ms\n  authenticate … ms\n  publish … ms\n',
  );
});

test('answers may come in pieces, and with --json the times are numbers', async () => {
  const { port, received } = await mqttServer(connackAccepted, '4002');
  servers.at(-1)?.on('connection', (socket) => {
    socket.on('data', () => {
      if (received.length === 2) setImmediate(() => socket.write(Buffer.from('0001', 'hex')));
    });
  });
  const url = `mqtt://127.0.0.1:${port}`;
  const { stdout } = await run('--token', 'T1', '--topic', 'v2/t', '--url', url, '--json');
  const answer = JSON.parse(stdout);
  assert.deepEqual(Object.keys(answer), [
    'protocol',
    'host',
    'port',
    'connectMs',
    'authenticateMs',
    'publishMs',
  ]);
  assert.ok(answer.publishMs > 0);
  assert.ok(received[1]?.includes(Buffer.from('v2/t').toString('hex')));
});

test('a payload longer than 127 bytes has a length of two bytes', async () => {
  const { port, received } = await mqttServer(connackAccepted, '40020001');
  await run('x'.repeat(200), '--token', 'T', '--attributes', '--url', `mqtt://127.0.0.1:${port}`);
  // 2 + 24 + 2 + 1 + 200 = 229 = 0xe5 0x01
  assert.match(received[1] ?? '', /^32e5010018/);
});

test('a refusal is told with its reason code and reason string', async () => {
  const check = async (answers: string[], message: string): Promise<void> => {
    const { port } = await mqttServer(...answers);
    const refused = await run('--token', 'T', '--url', `mqtt://127.0.0.1:${port}`);
    assert.equal(refused.code, 1);
    assert.equal(refused.stderr, `SLUICE_PUBLISH_FAILED: cannot publish: ${message}\n`);
  };
  await check(
    ['2003008600'],
    'the node refused the access token with reason code 0x86. ' +
      'Check the token: `sluice device token show NAME`.',
  );
  await check(
    // PUBACK 1, 0x99, properties of 6 bytes: reason string 'bad'
    [connackAccepted, '400a0001' + '99' + '06' + '1f0003626164'],
    'the node refused the message with reason code 0x99: bad',
  );
  await check([connackAccepted, 'e00198'], 'the node refused the connection with reason code 0x98');
  await check([''], 'the node closed the connection without an answer. Its log says why.');
  await check(['20ffffff7f'], 'the answer has 268435460 bytes. Is this an MQTT port?');
});

test('over HTTP the message is one POST', async () => {
  const requests: string[] = [];
  const port = await listen(
    createHttpServer(async (message, response) => {
      let body = '';
      for await (const chunk of message.setEncoding('utf8')) body += chunk;
      requests.push(`${message.method} ${message.url} ${body}`);
      if (body === '{') response.writeHead(400).end('{"status":400,"message":"malformed JSON"}');
      else response.end();
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  const sent = await run('{"a":1}', '--token', 'T/1', '--url', url);
  assert.equal(sent.code, 0);
  assert.match(sent.stdout, /^acknowledged over HTTP [^\n]+\n {2}connect [^\n]+\n {2}publish /);
  const refused = await run('{', '--token', 'T', '--attributes', '--url', url);
  assert.equal(refused.code, 1);
  assert.equal(
    refused.stderr,
    'SLUICE_PUBLISH_FAILED: cannot publish: ' +
      'the node answered 400 {"status":400,"message":"malformed JSON"}\n',
  );
  assert.deepEqual(requests, [
    'POST /api/v1/T%2F1/telemetry {"a":1}',
    'POST /api/v1/T/attributes {',
  ]);
});

test('the running node is found through its data directory', async () => {
  const { port } = await mqttServer(connackAccepted, '40020001');
  const node = await openDataDirectory(join(directory, 'data'));
  const ports = { mqtt: port };
  const hosts = { mqtt: '0.0.0.0' };
  node.writeNodeFile({ pid: process.pid, version: '0', startedAt: 1, ports, hosts });
  const { code, stdout } = await run('--token', 'T');
  node.close();
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^acknowledged over MQTT by 127\\.0\\.0\\.1:${port}\n`));
});

test('--device takes the access token from the registry', async () => {
  const created = await runIn(directory, ['device', 'create', 'meter', '--token', 'T-meter']);
  assert.equal(created.code, 0);
  const { port, received } = await mqttServer(connackAccepted, '40020001');
  const url = `mqtt://127.0.0.1:${port}`;
  assert.equal((await run('--device', 'meter', '--url', url)).code, 0);
  assert.ok(received[0]?.endsWith(Buffer.from('T-meter').toString('hex')));
  const unknown = await run('--device', 'metre', '--url', url);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^SLUICE_DEVICE_UNKNOWN: /);
});

test('what cannot be sent is told with the remedy', async () => {
  const check = async (argv: string[], code: number, line: string): Promise<void> => {
    assert.deepEqual(await run(...argv), { code, stdout: '', stderr: `${line}\n` });
  };
  await check(
    ['--token', 'T', '--data-dir', 'absent'],
    1,
    `SLUICE_NODE_NOT_RUNNING: cannot publish: no node runs on ${directory}/absent. ` +
      'Start it with `sluice start`, name its --data-dir, or give --url.',
  );
  await check(
    ['--url', 'mqtt://127.0.0.1:1'],
    2,
    'SLUICE_ARGUMENT_INVALID: cannot tell who publishes. Give --device NAME or --token TOKEN.',
  );
  await check(
    ['--token', 'T', '--url', 'coap://127.0.0.1'],
    2,
    'SLUICE_ARGUMENT_INVALID: coap://127.0.0.1 is no address. ' +
      'Write mqtt://HOST:PORT or http://HOST:PORT.',
  );
  await check(
    ['--token', 'T', '--url', 'http://127.0.0.1:1', '--topic', 'v2/t'],
    2,
    'SLUICE_ARGUMENT_INVALID: --topic is for MQTT. Add --protocol mqtt, or leave it out.',
  );
  await check(
    ['--token', 'T', '--url', 'http://127.0.0.1:1', '--protocol', 'mqtt'],
    2,
    'SLUICE_ARGUMENT_INVALID: --protocol mqtt and http://127.0.0.1:1 differ. ' +
      'Leave out --protocol.',
  );
  await check(
    ['--token', 'T', '--url', 'mqtt://127.0.0.1:1'],
    1,
    'SLUICE_PUBLISH_FAILED: cannot publish to 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1. ' +
      'Check that the node runs there.',
  );
});
