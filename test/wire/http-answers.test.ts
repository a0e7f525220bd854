import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Outcome } from '../../src/core/outcome.js';
import { MessageKind } from '../../src/normalise/batch-layout.js';
import { type HttpFixture, startHttp } from '../support/http.js';

// Every row of the table of answers in src/http/README.md, over real sockets with curl and fetch.

const run = promisify(execFile);
const json = 'application/json';
let http: HttpFixture;

before(async () => {
  http = await startHttp({ bodyBytesMax: 4096 });
  http.tokens.add('off', false);
  http.tokens.add('slash/é');
});
after(async () => {
  await http.stop();
});

interface Expected {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string | null>>;
}

async function check(path: string, init: RequestInit, expected: Expected): Promise<void> {
  const response = await fetch(http.url + path, init);
  assert.equal(await response.text(), expected.body, `${init.method} ${path}`);
  assert.equal(response.status, expected.status);
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    assert.equal(response.headers.get(name), value, name);
  }
}

/** Runs curl; returns what it printed: the body, a space and the status code. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-s', '-w', ' %{http_code}', ...args]);
  return stdout;
}

const post = (body: string | Uint8Array, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers,
});

test('200 with an empty body once the message is settled', async () => {
  http.sink.messages.length = 0;
  const payload = '{"temperature":25.31}';
  await check('/api/v1/T1/telemetry', post(payload), {
    status: 200,
    body: '',
    headers: { 'content-length': '0', 'content-type': null, connection: null },
  });
  await check('/api/v1/T1/attributes', post('{"a":1}'), { status: 200, body: '' });
  const [telemetry, attributes] = http.sink.messages;
  assert.equal(telemetry?.payload, payload);
  assert.equal(telemetry?.kind, MessageKind.telemetryJson);
  assert.equal(telemetry?.topic, '/api/v1/{token}/telemetry');
  assert.equal(telemetry?.device, http.tokens.devices.get('T1')?.words.join());
  assert.equal(attributes?.payload, '{"a":1}');
  assert.equal(attributes?.kind, MessageKind.attributesJson);
  assert.equal(attributes?.topic, '/api/v1/{token}/attributes');
});

test('no answer before the message is settled', async () => {
  http.sink.open = false;
  let answered = false;
  const response = fetch(`${http.url}/api/v1/T1/telemetry`, post('{}')).then((value) => {
    answered = true;
    return value;
  });
  while (http.sink.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
  // A request behind it is answered at once, so an early answer would have been seen by now.
  assert.equal((await fetch(`${http.url}/api/v1/nobody/telemetry`, post('{}'))).status, 401);
  assert.equal(answered, false);
  http.sink.open = true;
  http.sink.release();
  assert.equal((await response).status, 200);
});

test('400 names the place', async () => {
  http.sink.decide = () => [Outcome.jsonSyntax, 5];
  await check('/api/v1/T1/telemetry', post('{"a":'), {
    status: 400,
    body: '{"status":400,"message":"malformed JSON at byte 5"}',
    headers: { 'content-type': json, connection: null },
  });
  http.sink.decide = () => [Outcome.shapeInvalid, -1];
  await check('/api/v1/T1/attributes', post('1'), {
    status: 400,
    body:
      '{"status":400,"message":"wrong shape: expected an object of key-value pairs ' +
      'or an array of them"}',
  });
  http.sink.decide = () => [Outcome.accepted, -1];
});

test('400 for an empty body, settled like any other, and for no body at all', async () => {
  http.sink.decide = ({ payload }) => [payload === '' ? Outcome.payloadEmpty : 0, -1];
  await check('/api/v1/T1/telemetry', post('', { 'Content-Length': '0' }), {
    status: 400,
    body: '{"status":400,"message":"empty payload"}',
  });
  http.sink.decide = () => [Outcome.accepted, -1];
  const answer = await curl('-X', 'POST', `${http.url}/api/v1/T1/telemetry`);
  assert.match(answer, /a body is required: .* missing"} 400$/);
});

test('401 without a body for an unknown, disabled, blank or overlong token', async () => {
  const expected = { status: 401, body: '', headers: { 'content-length': '0' } };
  await check('/api/v1/nobody/telemetry', post('{}'), expected);
  await check('/api/v1/off/telemetry', post('{}'), expected);
  await check('/api/v1/%20/attributes', post('{}'), expected);
  await check('/api/v1/%zz/telemetry', post('{}'), expected);
  await check(`/api/v1/${'x'.repeat(2000)}/telemetry`, post('{}'), expected);
});

test('a token is percent-decoded', async () => {
  await check('/api/v1/slash%2F%C3%A9/telemetry', post('{}'), { status: 200, body: '' });
  await check('/api/v1/%541/telemetry', post('{}'), { status: 200, body: '' });
});

test('401, 200 and 503 for a token that the registry must be asked about', async () => {
  http.tokens.uncached.add('T1').add('ghost').add('off');
  await check('/api/v1/T1/telemetry', post('{"late":1}'), { status: 200, body: '' });
  await check('/api/v1/ghost/telemetry', post('{}'), { status: 401, body: '' });
  await check('/api/v1/off/telemetry', post('{}'), { status: 401, body: '' });
  http.tokens.uncached.add('T1');
  http.tokens.gate = async () => {
    throw new Error('the database is gone');
  };
  await check('/api/v1/T1/telemetry', post('{}'), {
    status: 503,
    body: '{"status":503,"message":"the device registry does not answer"}',
    headers: { 'retry-after': '1' },
  });
  http.tokens.gate = async () => {};
  http.tokens.uncached.clear();
  assert.equal(http.sink.messages.at(-1)?.payload, '{"late":1}');
});

test('404 for a path that is none', async () => {
  const body = '{"status":404,"message":"no such path"}';
  const expected = { status: 404, body, headers: { 'content-type': json } };
  for (const path of [
    '/',
    '/api/v1/T1',
    '/api/v1/telemetry',
    '/api/v1//telemetry',
    '/api/v1/T1/telemetry/',
    '/api/v1/T1/Telemetry',
    '/api/v1/T1/x/telemetry',
    '/api/v2/T1/telemetry',
  ]) {
    await check(path, post('{}'), expected);
  }
  await check('/nothing', { method: 'HEAD' }, { status: 404, body: '' });
});

test('405 with Allow for a path that has other methods', async () => {
  const body = '{"status":405,"message":"allowed: POST, OPTIONS"}';
  const headers = { allow: 'POST, OPTIONS', 'content-type': json };
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    await check('/api/v1/T1/telemetry', { method }, { status: 405, body, headers });
    await check('/api/v1/T1/attributes', { method }, { status: 405, body, headers });
  }
  assert.equal(await curl('-X', 'BREW', `${http.url}/api/v1/T1/telemetry`), `${body} 405`);
  assert.equal(
    await curl('-X', 'post', '-d', '{}', `${http.url}/api/v1/T1/telemetry`),
    `${body} 405`,
  );
  await check('/api/v1/T1/telemetry', { method: 'HEAD' }, { status: 405, body: '', headers });
  const allow = { allow: 'POST, OPTIONS' };
  await check(
    '/api/v1/T1/telemetry',
    { method: 'OPTIONS' },
    { status: 200, body: '', headers: allow },
  );
});

test('413 above the limit, by Content-Length and while chunks arrive', async () => {
  const body = '{"status":413,"message":"the body is larger than 4096 bytes"}';
  const data = 'x'.repeat(4097);
  const url = `${http.url}/api/v1/T1/telemetry`;
  assert.equal(await curl('--data-binary', data, url), `${body} 413`);
  const chunked = ['-H', 'Transfer-Encoding: chunked'];
  assert.equal(await curl(...chunked, '--data-binary', data, url), `${body} 413`);
  assert.equal(await curl('--data-binary', data.slice(1), url), ' 200');
  assert.equal(await curl(...chunked, '--data-binary', data.slice(1), url), ' 200');
});

test('415 never: the bytes are read whatever Content-Type says', async () => {
  const url = `${http.url}/api/v1/T1/telemetry`;
  http.sink.messages.length = 0;
  assert.equal(await curl('-d', '{"a":"x=1&y"}', url), ' 200');
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data', 'nonsense', ' ']) {
    await check('/api/v1/T1/telemetry', post('{}', { 'Content-Type': type }), {
      status: 200,
      body: '',
    });
  }
  assert.equal(http.sink.messages[0]?.payload, '{"a":"x=1&y"}');
  for (const message of http.sink.messages) assert.equal(message.kind, MessageKind.telemetryJson);
});

test('Content-Type msgpack chooses the binary form', async () => {
  http.sink.messages.length = 0;
  const bytes = Uint8Array.of(0x81, 0xa1, 0x61, 0x01);
  const types = ['application/msgpack', 'application/x-msgpack', 'Application/MsgPack; a=b'];
  for (const type of types) {
    const init = post(bytes, { 'Content-Type': type });
    await check('/api/v1/T1/telemetry', init, { status: 200, body: '' });
    await check('/api/v1/T1/attributes', init, { status: 200, body: '' });
  }
  const kinds = http.sink.messages.map((message) => message.kind);
  const { telemetryMsgpack, attributesMsgpack } = MessageKind;
  const pair = [telemetryMsgpack, attributesMsgpack];
  assert.deepEqual(kinds, [...pair, ...pair, ...pair]);
  assert.equal(http.sink.messages[0]?.payload, '\x81\xa1a\x01');
});

test('gzip bodies are expanded; other encodings are refused with a reason', async () => {
  http.sink.messages.length = 0;
  const payload = '{"a":1,"b":"two"}';
  for (const encoding of ['gzip', 'x-gzip', 'GZIP']) {
    const init = post(gzipSync(payload), { 'Content-Encoding': encoding });
    await check('/api/v1/T1/telemetry', init, { status: 200, body: '' });
  }
  const identity = post(payload, { 'Content-Encoding': 'identity' });
  await check('/api/v1/T1/telemetry', identity, { status: 200, body: '' });
  assert.deepEqual(
    http.sink.messages.map((message) => message.payload),
    Array(4).fill(payload),
  );
  for (const encoding of ['br', 'deflate', 'gzip, gzip']) {
    const init = post(gzipSync(payload), { 'Content-Encoding': encoding });
    await check('/api/v1/T1/telemetry', init, {
      status: 400,
      body: '{"status":400,"message":"Content-Encoding must be gzip or absent"}',
    });
  }
  await check('/api/v1/T1/telemetry', post(payload, { 'Content-Encoding': 'gzip' }), {
    status: 400,
    body: '{"status":400,"message":"malformed gzip body"}',
  });
});

test('503 with Retry-After when the journal cannot write or the node is overloaded', async () => {
  http.sink.decide = () => [Outcome.journalUnavailable, -1];
  await check('/api/v1/T1/telemetry', post('{}'), {
    status: 503,
    body: '{"status":503,"message":"the journal cannot write"}',
    headers: { 'retry-after': '5', connection: null },
  });
  http.sink.decide = () => [Outcome.overload, -1];
  await check('/api/v1/T1/telemetry', post('{}'), {
    status: 503,
    body: '{"status":503,"message":"overloaded"}',
    headers: { 'retry-after': '1' },
  });
  http.sink.decide = () => [Outcome.shuttingDown, -1];
  await check('/api/v1/T1/telemetry', post('{}'), {
    status: 503,
    body: '{"status":503,"message":"the node is stopping"}',
    headers: { 'retry-after': '1', connection: 'close' },
  });
  http.sink.decide = () => [Outcome.accepted, -1];
});

test('tokens never reach the log', async () => {
  await check('/api/v1/canary-token-7/telemetry', post('{}'), { status: 401, body: '' });
  await check('/api/v1/off/telemetry', post('{}'), { status: 401, body: '' });
  const log = http.logged.join('\n');
  assert.match(log, /"http_device_disabled","device":"device of of"/);
  assert.doesNotMatch(log, /canary|T1|"off"|api\/v1/);
});

test('answers are counted by status, messages by kind', async () => {
  const text = await http.metrics.registry.metrics();
  assert.match(text, /sluice_http_responses_total\{status="200"\} [1-9]/);
  assert.match(text, /sluice_messages_received_total\{protocol="http",qos="",kind="telemetry"\}/);
  assert.match(text, /sluice_connections_refused_total\{protocol="http",reason="token"\} [1-9]/);
  assert.match(text, /sluice_connections_refused_total\{protocol="http",reason="disabled"\} [1-9]/);
  assert.match(text, /sluice_connections\{protocol="http"\} \d/);
});
