import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Outcome } from '../../src/core/outcome.js';
import { MessageRates } from '../../src/device/message-rate.js';
import {
  type HttpFixture,
  movableClock,
  responses,
  sendRaw,
  startHttp,
  statusCodes,
} from '../support/http.js';

// How bodies arrive, wait and go away: in pieces, slowly, never, compressed, and when there is no
// room for them. Every test ends with no memory taken.

async function withHttp(
  options: Parameters<typeof startHttp>[0],
  work: (fixture: HttpFixture) => Promise<void>,
  clock?: Parameters<typeof startHttp>[1],
  rates?: Parameters<typeof startHttp>[2],
): Promise<void> {
  const fixture = await startHttp(options, clock, rates);
  try {
    await work(fixture);
    await until(() => fixture.listener.bodiesBytes === 0);
  } finally {
    await fixture.stop();
  }
}

/** Waits for something that the server does by itself; the runner's deadline ends it. */
async function until(fact: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await fact())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const telemetry = 'POST /api/v1/T1/telemetry HTTP/1.1\r\nHost: a\r\n';

async function post(url: string, body: string | Uint8Array, headers = {}): Promise<Response> {
  return await fetch(`${url}/api/v1/T1/telemetry`, { method: 'POST', body, headers });
}

/** Sends a request in two parts and returns the status code of its answer. */
async function sendCut(port: number, bytes: string, cut: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => resolve(chunk.toString('latin1').slice(9, 12)));
    socket.on('error', () => {});
  });
  await new Promise((resolve) => socket.write(bytes.slice(0, cut), resolve));
  // A few turns of the loop that the server runs on too: it has read the first part.
  await new Promise((resolve) => setTimeout(resolve, 2));
  socket.write(bytes.slice(cut));
  const code = await answer;
  socket.destroy();
  return code;
}

test('a request cut at any byte behind its first line stores the same payload', async () => {
  await withHttp({}, async ({ port, sink }) => {
    const payload = '{"temperature":25.31}';
    const forms = [
      `${telemetry}Content-Length: ${payload.length}\r\n\r\n${payload}`,
      `${telemetry}Transfer-Encoding: chunked\r\n\r\n15\r\n${payload}\r\n0\r\n\r\n`,
    ];
    const line = telemetry.indexOf('\n') + 1;
    let sent = 0;
    for (const bytes of forms) {
      for (let cut = line; cut < bytes.length; cut++, sent++) {
        assert.equal(await sendCut(port, bytes, cut), '200', `cut at ${cut}`);
      }
    }
    assert.ok(sink.messages.every((message) => message.payload === payload));
    assert.equal(sink.messages.length, sent);
    // Builds of the engine from before September 2024 refuse a first line that comes in two parts.
    for (let cut = 1; cut < line; cut++) {
      const code = await sendCut(port, forms[0] ?? '', cut);
      assert.ok(code === '200' || code === '505', `cut at ${cut}: ${code}`);
    }
    assert.ok(sink.messages.every((message) => message.payload === payload));
  });
});

test('a body of many pieces arrives whole', async () => {
  await withHttp({}, async ({ port, sink }) => {
    const payload = `{"text":"${'0123456789'.repeat(20_000)}"}`;
    let chunks = '';
    for (let at = 0, size = 1; at < payload.length; at += size, size = (size * 7) % 4099) {
      const piece = payload.slice(at, at + size);
      chunks += `${piece.length.toString(16)}\r\n${piece}\r\n`;
    }
    const bytes = `${telemetry}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
    const { received } = await sendRaw(port, [bytes]);
    assert.deepEqual(statusCodes(received), [200]);
    assert.ok(sink.messages[0]?.payload === payload);
  });
});

test('413 comes while the chunks still arrive, and ends the connection', async () => {
  await withHttp({ bodyBytesMax: 2048 }, async ({ port, sink }) => {
    const piece = 'x'.repeat(1500);
    const chunk = `5dc\r\n${piece}\r\n`;
    const unfinished = `${telemetry}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`;
    const { received, closed } = await sendRaw(port, [unfinished]);
    assert.deepEqual([statusCodes(received), closed], [[413], true]);
    const declared = await sendRaw(port, [`${telemetry}Content-Length: 2049\r\n\r\n`]);
    assert.deepEqual([statusCodes(declared.received), declared.closed], [[413], true]);
    assert.equal(sink.messagesTaken, 0);
  });
});

test('a client that sends far too much reads its 413', async () => {
  await withHttp({}, async ({ url }) => {
    for (let round = 0; round < 20; round++) {
      const request = http.request(`${url}/api/v1/T1/telemetry`, {
        method: 'POST',
        headers: { 'Content-Length': 3_000_000 },
      });
      const status = new Promise((resolve) => {
        request.on('response', (response) => resolve(response.resume().statusCode));
        request.on('error', (error) => resolve(error.message));
      });
      request.end(Buffer.alloc(3_000_000));
      assert.equal(await status, 413);
    }
  });
});

test('a body that takes longer than 30 s is answered with 408', async () => {
  const clock = movableClock();
  await withHttp(
    {},
    async ({ port, sink, listener }) => {
      const exchange = sendRaw(port, [`${telemetry}Content-Length: 10\r\n\r\n{"a"`]);
      await until(() => listener.bodiesBytes > 0);
      clock.advance(30_001);
      const { received, closed } = await exchange;
      assert.deepEqual([statusCodes(received), closed], [[408], true]);
      assert.equal(sink.messagesTaken, 0);
    },
    clock,
  );
});

test('1,000 connections that send slowly or nothing are ended within 15 s', async () => {
  await withHttp({}, async ({ port, url, sink }) => {
    const started = performance.now();
    const starts = ['', telemetry, `${telemetry}Content-Length: 9\r\n\r\n{`];
    const all: Promise<string>[] = [];
    for (let index = 0; index < 1000; index++) {
      const start = starts[index % starts.length] ?? '';
      all.push(sendRaw(port, [start]).then(({ received }) => received));
    }
    assert.equal((await post(url, '{}')).status, 200);
    for (const received of await Promise.all(all)) assert.equal(received, '');
    assert.ok(performance.now() - started < 15_000);
    assert.equal(sink.messagesTaken, 1);
  });
});

test('who leaves in the body is dropped, who does not wait for the answer is stored', async () => {
  await withHttp({}, async ({ port, sink, metrics, listener }) => {
    const open = async (): Promise<number> =>
      (await metrics.connections.get()).values[0]?.value ?? 0;
    for (let round = 0; round < 200; round++) {
      const socket = net.connect(port, '127.0.0.1');
      socket.write(`${telemetry}Content-Length: 10\r\n\r\n{"a":`, () => socket.destroy());
    }
    await until(async () => (await open()) === 0);
    assert.equal(listener.bodiesBytes, 0);
    assert.equal(sink.messagesTaken, 0);
    sink.open = false;
    const socket = net.connect(port, '127.0.0.1');
    socket.write(`${telemetry}Content-Length: 2\r\n\r\n{}`, () => socket.end());
    await until(() => sink.inFlight > 0);
    await until(async () => (await open()) === 0);
    sink.open = true;
    sink.release();
    assert.equal(sink.messagesTaken, 1);
  });
});

test('one connection carries many requests', async () => {
  await withHttp({}, async ({ url, sink, metrics }) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let index = 0; index < 200; index++) {
      const status = await new Promise((resolve, reject) => {
        const path = `${url}/api/v1/${index % 10 === 9 ? 'no' : 'T1'}/telemetry`;
        const request = http.request(path, { method: 'POST', agent }, (response) => {
          ports.add(request.socket?.localPort);
          response.resume().on('end', () => resolve(response.statusCode));
        });
        request.on('error', reject);
        request.end(`{"index":${index}}`);
      });
      assert.equal(status, index % 10 === 9 ? 401 : 200);
    }
    assert.equal(ports.size, 1);
    assert.equal((await metrics.connections.get()).values[0]?.value, 1);
    assert.equal(sink.messages[9]?.payload, '{"index":10}');
    agent.destroy();
  });
});

test('a gzip bomb is answered with 413 at the cost of an honest body', async () => {
  await withHttp({}, async ({ url, sink }) => {
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    assert.ok(bomb.length < 128 * 1024);
    const before = process.memoryUsage().rss;
    const times: number[] = [];
    for (let round = 0; round < 50; round++) {
      const started = performance.now();
      const response = await post(url, bomb, { 'Content-Encoding': 'gzip' });
      times.push(performance.now() - started);
      assert.equal(response.status, 413);
      assert.equal(
        await response.text(),
        '{"status":413,"message":"the gzip body expands to more than 262144 bytes ' +
          'or 50 times its size"}',
      );
    }
    times.sort((a, b) => a - b);
    assert.ok((times[25] ?? 0) < 50, `median ${times[25]} ms`);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
    assert.equal(sink.messagesTaken, 0);
    // 30 times its size and small: expanded.
    const honest = `[${'{"temperature":21.5},'.repeat(60)}{}]`;
    const accepted = await post(url, gzipSync(honest), { 'Content-Encoding': 'gzip' });
    assert.equal(accepted.status, 200);
    assert.equal(sink.messages[0]?.payload, honest);
  });
});

test('many gzip bodies at once are all answered', async () => {
  await withHttp({}, async ({ url, sink }) => {
    const bodies = Array.from({ length: 300 }, (_, index) => `{"index":${index}}`);
    const answers = bodies.map((body) => post(url, gzipSync(body), { 'Content-Encoding': 'gzip' }));
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
    const stored = sink.messages.map((message) => message.payload);
    assert.deepEqual(stored.sort(), bodies.sort());
  });
});

test('without a free batch bodies wait and are answered when there is room', async () => {
  await withHttp({}, async ({ port, sink, listener, batcher }) => {
    sink.open = false;
    const all = Array.from({ length: 20 }, async (_, index) => {
      const body = `${index}`.padStart(200_000, ' ');
      const bytes = `${telemetry}Content-Length: 200000\r\n\r\n${body}`;
      return statusCodes((await sendRaw(port, [bytes], responses(1))).received);
    });
    // 8 batches of 256 KiB take one of these each.
    await until(() => !batcher.hasRoom && listener.bodiesBytes > 12 * 200_000);
    assert.equal(sink.messagesTaken, 0);
    sink.open = true;
    sink.release();
    assert.deepEqual(await Promise.all(all), Array(20).fill([200]));
    const stored = sink.messages.map((message) => Number(message.payload));
    assert.deepEqual(
      stored.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, index) => index),
    );
  });
});

test('bodies beyond the memory for them are refused with 503, the others stored', async () => {
  await withHttp({ bodiesOpenBytesMax: 900_000 }, async ({ port, sink, batcher }) => {
    sink.open = false;
    const bytes = `${telemetry}Content-Length: 200000\r\n\r\n${' '.repeat(200_000)}`;
    const codes: number[] = [];
    const all: Promise<void>[] = [];
    const send = async (): Promise<void> => {
      const { received } = await sendRaw(port, [bytes], responses(1));
      codes.push(...statusCodes(received));
      if (received.includes(' 503 ')) assert.match(received, /\r\nRetry-After: 1\r\n/);
    };
    while (batcher.hasRoom || codes.length < 20) {
      all.push(send());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.deepEqual(codes, Array(codes.length).fill(503));
    sink.open = true;
    sink.release();
    await Promise.all(all);
    const accepted = codes.filter((code) => code === 200).length;
    assert.ok(
      accepted >= 8 && accepted + codes.filter((code) => code === 503).length === all.length,
    );
    assert.equal(sink.messagesTaken, accepted);
  });
});

test('the device rate limit answers 429 with Retry-After, and nothing is stored', async () => {
  const clock = movableClock();
  await withHttp(
    {},
    async ({ url, sink, tokens, metrics }) => {
      tokens.add('T2');
      for (let index = 0; index < 5; index++) assert.equal((await post(url, '{}')).status, 200);
      const refused = await post(url, '{}');
      assert.equal(refused.status, 429);
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.equal(
        await refused.text(),
        '{"status":429,"message":"the device sends more than it may"}',
      );
      const other = await fetch(`${url}/api/v1/T2/telemetry`, { method: 'POST', body: '{}' });
      assert.equal(other.status, 200);
      clock.advance(500);
      assert.equal((await post(url, '{}')).status, 200);
      assert.equal((await post(url, '{}')).status, 429);
      assert.equal(sink.messagesTaken, 7);
      const limited = (await metrics.rateLimited.get()).values[0];
      assert.deepEqual(
        [limited?.value, limited?.labels],
        [2, { limit: 'deviceMessagesPerSecond' }],
      );
    },
    clock,
    new MessageRates(2, 5),
  );
});

test('an outcome of 400 leaves the connection open', async () => {
  await withHttp({}, async ({ port, sink }) => {
    sink.decide = ({ payload }) => [payload === '{}' ? 0 : Outcome.jsonSyntax, 0];
    const bad = `${telemetry}Content-Length: 2\r\n\r\n}{`;
    const good = `${telemetry}Content-Length: 2\r\n\r\n{}`;
    const { received } = await sendRaw(port, [bad, good, bad, good], responses(4));
    assert.deepEqual(statusCodes(received), [400, 200, 400, 200]);
  });
});
