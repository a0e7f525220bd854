import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NodeError } from '../../src/core/errors.js';
import { loadEngine } from '../../src/http/server.js';
import { responses, sendRaw, startHttp, statusCodes } from '../support/http.js';

// From `listen` to `stop`: ports that cannot be had, the connection limit, and how a node leaves.

const childFile = fileURLToPath(new URL('../support/http-child.js', import.meta.url));

async function codeOf(work: Promise<unknown>): Promise<[code: string, text: string]> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof NodeError);
    return [thrown.code, `${thrown.message} ${thrown.remedy}`];
  }
  return ['none', ''];
}

const telemetry = 'POST /api/v1/T1/telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';

test('a port of another program, of this node or of another node is taken', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  const [code, text] = await codeOf(startHttp({ port }));
  assert.equal(code, 'SLUICE_PORT_TAKEN');
  assert.match(
    text,
    new RegExp(`^cannot listen on 127.0.0.1:${port}: the port is in use .*http.port`),
  );
  other.close();

  const first = await startHttp();
  assert.equal((await codeOf(startHttp({ port: first.port })))[0], 'SLUICE_PORT_TAKEN');
  const child = fork(childFile, [String(first.port)]);
  const [message] = await once(child, 'message');
  assert.equal(message, 'SLUICE_PORT_TAKEN');
  await first.stop();
});

test('a port that this user may not bind, an address that is not ours', async () => {
  // Root may bind any port, so a process of its own gives that up first.
  const child = fork(childFile, ['81', 'nobody']);
  const [message] = await once(child, 'message');
  const firstOpenPort = readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8');
  assert.equal(message, Number(firstOpenPort) > 81 ? 'SLUICE_PORT_DENIED' : 'listening');
  const [code, text] = await codeOf(startHttp({ host: '192.0.2.1' }));
  assert.equal(code, 'SLUICE_CONFIG_INVALID');
  assert.match(text, /192\.0\.2\.1:0: EADDRNOTAVAIL Set http\.host to an address of this machine/);
});

test('a missing binary says how to get one', async () => {
  const [code, text] = await codeOf(
    loadEngine(async () => {
      throw new Error('This version of uWS.js supports only Node.js versions …\n\nError: no file');
    }),
  );
  assert.equal(code, 'SLUICE_BINARY_MISSING');
  assert.match(text, /^cannot load uWebSockets\.js for Node v\d+.*supports only/);
  assert.match(text, /npm install uWebSockets\.js@github:uNetworking\/uWebSockets\.js#TAG/);
});

test('connections above the limit are closed unread and counted', async () => {
  const http = await startHttp({ connectionsMax: 2 });
  const sockets = [net.connect(http.port, '127.0.0.1'), net.connect(http.port, '127.0.0.1')];
  for (const socket of sockets) {
    socket.write(telemetry);
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 OK/);
  }
  assert.deepEqual(await sendRaw(http.port, [telemetry]), { received: '', closed: true });
  const refused = (await http.metrics.connectionsRefused.get()).values[0];
  assert.deepEqual([refused?.labels, refused?.value], [{ protocol: 'http', reason: 'limit' }, 1]);
  sockets[0]?.destroy();
  sockets[1]?.destroy();
  let served = '';
  while (served === '') served = (await sendRaw(http.port, [telemetry], responses(1))).received;
  assert.deepEqual(statusCodes(served), [200]);
  await http.stop();
});

test('stop: what is in a batch is answered, all else refused, every connection ended', async () => {
  const http = await startHttp({ bodyBytesMax: 262_144 });
  http.sink.open = false;
  const connection = (text: string): { socket: net.Socket; ended: Promise<string> } => {
    const socket = net.connect(http.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    if (text !== '') socket.write(text);
    return { socket, ended: once(socket, 'close').then(() => received) };
  };
  const inBatch = connection(telemetry);
  while (http.sink.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
  const half = connection(telemetry.slice(0, -1));
  const idle = connection('');
  const busy = connection(
    'POST /api/v1/no/telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
  );
  await once(busy.socket, 'data');
  while (http.listener.bodiesBytes === 0) await new Promise((resolve) => setImmediate(resolve));

  const stopped = http.listener.stop(5_000);
  busy.socket.write(telemetry);
  assert.deepEqual(statusCodes(await busy.ended), [401, 503]);
  assert.match(await half.ended, /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n.*Connection: close/s);
  const late = net.connect(http.port, '127.0.0.1');
  const [error] = await once(late, 'error');
  assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  http.sink.release();
  const answer = await inBatch.ended;
  assert.deepEqual(statusCodes(answer), [200]);
  assert.match(answer, /\r\nConnection: close\r\n/);
  await stopped;
  assert.equal(await idle.ended, '');
  assert.equal(http.sink.messagesTaken, 1);
});

test('stop does not wait longer than it is told for a journal that does not answer', async () => {
  const http = await startHttp();
  http.sink.open = false;
  const waiting = sendRaw(http.port, [telemetry]);
  while (http.sink.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
  await http.listener.stop(50);
  assert.deepEqual(await waiting, { received: '', closed: true });
  assert.match(http.logged.join(), /http_stop_cut_short/);
  // What is settled after all finds nobody and harms nothing.
  http.sink.release();
});
