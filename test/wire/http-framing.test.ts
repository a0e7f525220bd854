import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type HttpFixture, sendRaw, startHttp, statusCodes } from '../support/http.js';

// Requests whose end two parties on the way could see at different places, and malformed ones. Each
// is sent twice on a connection of its own: with a request behind it in the same write, and with
// one that follows its answer. Asserted are the answers, the stored payloads and the end of the
// connection: the request behind (404) is answered rightly or not at all.

let http: HttpFixture;

before(async () => {
  http = await startHttp({ bodyBytesMax: 4096 });
});
after(async () => {
  await http.stop();
});

const behind = 'GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** A telemetry request with these header lines (each without its CRLF) and body bytes. */
function request(headers: readonly string[], body: string): string {
  const lines = ['POST /api/v1/T1/telemetry HTTP/1.1', 'Host: a', ...headers];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

const chunked = 'Transfer-Encoding: chunked';

interface Expected {
  /** Status codes when the request behind is in the same write. */
  readonly together: readonly number[];
  /** Status codes when it follows the answer. */
  readonly after: readonly number[];
  readonly stored?: readonly string[];
}

async function check(bytes: string, expected: Expected): Promise<void> {
  for (const [pieces, codes] of [
    [[bytes + behind], expected.together],
    [[bytes, behind], expected.after],
  ] as const) {
    http.sink.messages.length = 0;
    const { received, closed } = await sendRaw(http.port, pieces);
    assert.equal(closed, true);
    assert.deepEqual(statusCodes(received), codes, received);
    assert.deepEqual(
      http.sink.messages.map((message) => message.payload),
      expected.stored ?? [],
    );
  }
}

// The answer waits for the disk; the engine ends a connection that does not wait for the answer.
const sound: Expected = { together: [], after: [200, 404], stored: ['{}'] };
const lastOne: Expected = { together: [], after: [200], stored: ['{}'] };
const refused: Expected = { together: [], after: [400] };
const refusedByEngine: Expected = { together: [400], after: [400] };
const notHttp11: Expected = { together: [505], after: [505] };

test('sound requests: the next one is served when it waits for the answer', async () => {
  await check(request(['Content-Length: 2'], '{}'), sound);
  await check(request(['Content-Length: 002'], '{}'), sound);
  await check(request(['Content-Length: 2 '], '{}'), sound);
});

test('what is answered at once is answered in order, however it is pipelined', async () => {
  const unknown = 'POST /api/v1/no/telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';
  await check(unknown, { together: [401, 404], after: [401, 404] });
  await check(unknown + unknown, { together: [401, 401, 404], after: [401, 401, 404] });
});

test('two Content-Length headers', async () => {
  await check(request(['Content-Length: 2', 'Content-Length: 2'], '{}'), refused);
  await check(request(['Content-Length: 2', 'Content-Length: 50'], '{}'), refused);
  // The longer length came first and took the request behind for its body.
  const swallowed = { together: [400], after: [400] };
  await check(request(['Content-Length: 50', 'content-length: 2'], '{}'), swallowed);
  await check(request(['Content-Length:', 'Content-Length: 2'], '{}'), refused);
});

test('Content-Length that is no number', async () => {
  for (const value of [
    '+2',
    '-2',
    '0x2',
    '2,2',
    '2, 2',
    '2 2',
    '2.0',
    '1e0',
    '99999999999999999999',
  ]) {
    await check(request([`Content-Length: ${value}`], '{}'), refusedByEngine);
  }
  await check(request(['Content-Length:'], '{}'), refused);
});

test('Content-Length and Transfer-Encoding', async () => {
  await check(request(['Content-Length: 2', chunked], '0\r\n\r\n'), refusedByEngine);
  await check(request([chunked, 'Content-Length: 2'], '0\r\n\r\n'), refusedByEngine);
  await check(request(['Transfer-Encoding:', 'Content-Length: 2'], '{}'), refused);
});

test('Transfer-Encoding other than chunked, or twice', async () => {
  const body = '2\r\n{}\r\n0\r\n\r\n';
  for (const value of ['identity', 'xchunked', 'chunked, identity', 'gzip, chunked', '"chunked"']) {
    await check(request([`Transfer-Encoding: ${value}`], body), refused);
  }
  await check(request([chunked, 'Transfer-Encoding: identity'], body), refused);
  await check(request([chunked, chunked], body), refused);
  // The engine sees no body here, and takes its bytes for the next request.
  await check(request(['Transfer-Encoding:'], body), notHttp11);
});

test('a sound chunked body is the last of its connection', async () => {
  await check(request([chunked], '2\r\n{}\r\n0\r\n\r\n'), lastOne);
  await check(request(['Transfer-Encoding: Chunked'], '1\r\n{\r\n1\r\n}\r\n0\r\n\r\n'), lastOne);
  await check(request([chunked], '002\r\n{}\r\n0\r\n\r\n'), lastOne);
});

test('chunk sizes that are no hexadecimal number', async () => {
  for (const size of ['-2', '0x2', '+2', '2h', 'fffffffffffffffff', 'z']) {
    await check(request([chunked], `${size}\r\n{}\r\n0\r\n\r\n`), refusedByEngine);
  }
});

test('chunked bodies that the engine reads leniently carry nothing behind them', async () => {
  await check(request([chunked], '2\n{}\r\n0\r\n\r\n'), lastOne); // bare line feed
  await check(request([chunked], '2\r\n{}xx0\r\n\r\n'), lastOne); // chunk longer than it says
  // A trailer is taken for the next request. This one would even be one.
  const trailer = '2\r\n{}\r\n0\r\nX-A: b\r\n\r\n';
  await check(request([chunked], trailer), { ...notHttp11, stored: ['{}'] });
  const smuggled = '2\r\n{}\r\n0\r\nX-A: /api/v1/T1/telemetry HTTP/1.1\r\nHost: a\r\n\r\n';
  await check(request([chunked], smuggled), { together: [], after: [], stored: ['{}'] });
});

test('a refused chunked request ends its connection too', async () => {
  const unknown =
    'POST /api/v1/no/telemetry HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  await check(`${unknown}2\r\n{}\r\n0\r\n\r\n`, { together: [], after: [401] });
  const nowhere = unknown.replace('/api', '/nowhere');
  await check(`${nowhere}2\r\n{}\r\n0\r\n\r\n`, { together: [], after: [404] });
});

test('Host', async () => {
  const line = 'POST /api/v1/T1/telemetry HTTP/1.1\r\n';
  await check(`${line}Content-Length: 2\r\n\r\n{}`, refusedByEngine);
  await check(`${line}Host: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}`, refused);
});

test('a header without a name hides the ones behind it', async () => {
  await check(request([': x', 'Content-Length: 2'], '{}'), refused);
});

test('request lines', async () => {
  const rest = '\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';
  for (const line of [
    'POST /api/v1/T1/telemetry HTTP/1.0',
    'POST /api/v1/T1/telemetry HTTP/1.2',
    'POST /api/v1/T1/telemetry http/1.1',
    'POST /api/v1/T1/telemetry',
    'POST  /api/v1/T1/telemetry HTTP/1.1',
    'POST\t/api/v1/T1/telemetry HTTP/1.1',
    'POST /api/v1/T1/telemetry x HTTP/1.1',
    'POST http://a/api/v1/T1/telemetry HTTP/1.1',
    ' POST /api/v1/T1/telemetry HTTP/1.1',
    '\r\nPOST /api/v1/T1/telemetry HTTP/1.1',
    '\x16\x03\x01\x02\x00\x01\x00',
    '\x10\x10\x00\x04MQTT\x04\x02\x00<\x00\x04abcd',
  ]) {
    await check(line + rest, notHttp11);
  }
  const bareLineFeeds = 'POST /api/v1/T1/telemetry HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}';
  await check(bareLineFeeds, notHttp11);
});

test('headers that the engine cannot read are never served, and end within 15 s', async () => {
  const blocks = [
    'X: a\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\n', // obsolete line folding
    'X: a\nContent-Length: 2\r\n\r\n',
    'X: a\rContent-Length: 2\r\n\r\n',
    'X: a\0b\r\nContent-Length: 2\r\n\r\n',
    'X\r\nContent-Length: 2\r\n\r\n',
    'Content-Length : 2\r\n\r\n',
    'Transfer-Encoding : chunked\r\n\r\n',
    `${'X: a\r\n'.repeat(200)}Content-Length: 2\r\n\r\n`,
    `X: ${'a'.repeat(1_000_000)}\r\nContent-Length: 2\r\n\r\n`,
    'Content-Length: 2\r\nX: unfinished',
    // The engine reads a chunk extension as digits, and waits for a chunk of 0x2ba bytes.
    'Transfer-Encoding: chunked\r\n\r\n2;a\r\n',
  ];
  http.sink.messages.length = 0;
  const started = performance.now();
  const start = 'POST /api/v1/T1/telemetry HTTP/1.1\r\nHost: a\r\n';
  const all = blocks.map((block) => sendRaw(http.port, [`${start}${block}{}${behind}`]));
  for (const { received, closed } of await Promise.all(all)) {
    assert.equal(closed, true);
    for (const code of statusCodes(received)) assert.ok(code === 400 || code === 431, received);
  }
  assert.ok(performance.now() - started < 15_000);
  assert.deepEqual(http.sink.messages, []);
});

test('Expect: 100-continue is answered before the body', async () => {
  const head = request(['Expect: 100-continue', 'Content-Length: 2', 'Connection: close'], '');
  http.sink.messages.length = 0;
  const { received } = await sendRaw(http.port, [head], (text) => text.includes('\r\n\r\n'));
  assert.equal(received, 'HTTP/1.1 100 Continue\r\n\r\n');
});
