import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type HttpFixture, responses, sendRaw, startHttp, statusCodes } from '../support/http.js';

// Behind a load balancer that sends everybody's requests over one connection: whatever one client
// sends, the others get the answers to their own requests, and only what they sent is stored.

const folder = mkdtempSync(join(tmpdir(), 'sluice-haproxy-'));
let http: HttpFixture;
let balancer: ChildProcess;
let port = 0;

before(async () => {
  http = await startHttp();
  http.tokens.add('T2');
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  port = (probe.address() as net.AddressInfo).port;
  probe.close();
  const configuration = [
    'defaults',
    '  mode http',
    '  timeout connect 5s',
    '  timeout client 20s',
    '  timeout server 20s',
    'listen all',
    `  bind 127.0.0.1:${port}`,
    '  http-reuse always',
    `  server node 127.0.0.1:${http.port} maxconn 1`,
    '',
  ];
  writeFileSync(join(folder, 'haproxy.cfg'), configuration.join('\n'));
  const program = existsSync('/usr/sbin/haproxy') ? '/usr/sbin/haproxy' : 'haproxy';
  balancer = spawn(program, ['-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' });
  while (!(await accepts(port))) {
    assert.equal(balancer.exitCode, null, 'haproxy runs');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

after(async () => {
  balancer.kill();
  await http.stop();
  rmSync(folder, { recursive: true });
});

async function accepts(number: number): Promise<boolean> {
  const socket = net.connect(number, '127.0.0.1');
  return await new Promise((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
  }).then((accepted) => {
    socket.destroy();
    return accepted === true;
  });
}

function request(headers: readonly string[], body: string): string {
  const lines = ['POST /api/v1/T1/telemetry HTTP/1.1', 'Host: a', ...headers];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Sends `bytes`, and behind it three others their requests; checks what those get. */
async function check(bytes: string, allowed: readonly number[]): Promise<void> {
  http.sink.messages.length = 0;
  const attack = sendRaw(port, [bytes], responses(1));
  const payload = '{"mine":true}';
  const own = [
    `POST /api/v1/T2/telemetry HTTP/1.1\r\nHost: b\r\nContent-Length: 13\r\n\r\n${payload}`,
    'GET /nowhere HTTP/1.1\r\nHost: b\r\n\r\n',
  ];
  const others = [1, 2, 3].map(() => sendRaw(port, own, responses(2)));
  const answered = statusCodes((await attack).received)[0] ?? 0;
  assert.ok(allowed.includes(answered), `${answered} for ${JSON.stringify(bytes)}`);
  for (const { received } of await Promise.all(others)) {
    assert.deepEqual(statusCodes(received), [200, 404], JSON.stringify(bytes));
  }
  const stored = http.sink.messages.map((message) => message.payload);
  assert.equal(stored.filter((text) => text === payload).length, 3);
  for (const text of stored) assert.ok(['{}', '', payload].includes(text), text);
}

const chunked = 'Transfer-Encoding: chunked';
const body = '2\r\n{}\r\n0\r\n\r\n';

test('lengths and transfer codings', async () => {
  await check(request(['Content-Length: 2'], '{}'), [200]);
  await check(request(['Content-Length: 2', 'Content-Length: 2'], '{}'), [200, 400]);
  await check(request(['Content-Length: 2', 'Content-Length: 50'], '{}'), [400]);
  await check(request(['Content-Length: 2', chunked], '0\r\n\r\n'), [200, 400]);
  await check(request(['Transfer-Encoding:', 'Content-Length: 2'], '{}'), [400]);
  await check(request(['Transfer-Encoding: xchunked'], body), [400]);
  await check(request([chunked, chunked], body), [400]);
  await check(request([': x', 'Content-Length: 2'], '{}'), [400]);
  await check(request(['X: a\r\n Content-Length: 9', 'Content-Length: 2'], '{}'), [200, 400]);
});

test('chunks, extensions and trailers', async () => {
  await check(request([chunked], body), [200]);
  await check(request([chunked], '2;a=b\r\n{}\r\n0\r\n\r\n'), [200, 400]);
  await check(request([chunked], '2;a\r\n{}\r\n0\r\n\r\n'), [200, 400]);
  await check(request([chunked], '2\n{}\r\n0\r\n\r\n'), [200, 400]);
  await check(request([chunked], '2\r\n{}xx0\r\n\r\n'), [400]);
  // HAProxy hands trailers on, and the engine takes them for a request: 502 from HAProxy.
  await check(request([chunked], '2\r\n{}\r\n0\r\nX-A: b\r\n\r\n'), [200, 502, 505]);
  const smuggled = 'X-A: /api/v1/T1/telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n';
  await check(request([chunked], `2\r\n{}\r\n0\r\n${smuggled}\r\n`), [200, 502, 505]);
});
