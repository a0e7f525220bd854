import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import { limits } from '../../src/core/limits.js';
import type { Spool } from './body.js';
import type { Answer, Engine } from './engine.js';
import { type Failure, failureOf, failureText, statusOfCode } from './failure.js';
import { contentTypeOf } from './formats.js';
import { type Account, authenticate, type Request, readRequest } from './request.js';

const gzipBytes = promisify(gzip);
const gzipOptions = { level: 3 };
const lingerMs = 1000;
const requiredPassword = 194;

/**
 * ClickHouse's HTTP interface over the engine, as far as clients of the node need it:
 * https://clickhouse.com/docs/interfaces/http. What is missing is refused in its own words.
 */
export function createClickhouseServer(engine: Engine, spool: Spool, account: Account): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.clickhouseQueryBytesMax,
      keepAliveTimeout: 30_000,
      requestTimeout: 300_000,
      headersTimeout: 10_000,
    },
    (message, response) => {
      // Everything that can fail is caught inside; nothing is left to reject.
      void serve(engine, spool, account, message, response);
    },
  );
  server.maxConnections = limits.clickhouseConnectionsMax;
  return server;
}

async function serve(
  engine: Engine,
  spool: Spool,
  account: Account,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.on('error', () => gone.abort());
  response.setHeader('X-ClickHouse-Server-Display-Name', 'sluice-embedded');
  try {
    const path = (message.url ?? '/').split('?', 1)[0];
    if (path === '/ping' || path === '/replicas_status') {
      sendText(response, 200, 'Ok.\n');
      return;
    }
    if (path !== '/') {
      sendText(response, 404, `There is no handle ${path}\n\nUse / or /ping for health checks.\n`);
      return;
    }
    if (message.method === 'OPTIONS') {
      response.writeHead(204, { Allow: 'GET, HEAD, POST, OPTIONS' }).end();
      return;
    }
    authenticate(message, account);
    await answerQuery(engine, spool, message, response, gone.signal);
  } catch (error) {
    sendFailure(message, response, failureOf(error), engine.version);
  }
}

async function answerQuery(
  engine: Engine,
  spool: Spool,
  message: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const request = readRequest(message);
  response.setHeader('X-ClickHouse-Query-Id', printable(request.queryId));
  response.setHeader('X-ClickHouse-Timezone', 'UTC');
  const hasBody = message.method === 'POST' || message.method === 'PUT';
  const body: Readable | undefined = hasBody ? message : undefined;
  const received = await spool.receive(request.query, body, request.contentEncoding);
  let answer: Answer;
  try {
    answer = await engine.execute(request, received, gone);
  } finally {
    if (received.file !== undefined) await spool.remove(received.file, received.bytes);
  }
  try {
    if (gone.aborted) return;
    if (answer.chunks === undefined) await sendWhole(request, response, answer);
    else await sendChunks(request, response, answer.chunks, answer.format);
  } finally {
    await answer.finish();
  }
}

async function sendWhole(
  request: Request,
  response: ServerResponse,
  answer: Answer,
): Promise<void> {
  const compress = request.acceptsGzip && answer.body.length > 0;
  const body = compress ? await gzipBytes(answer.body, gzipOptions) : answer.body;
  if (compress) response.setHeader('Content-Encoding', 'gzip');
  response.setHeader('X-ClickHouse-Summary', summaryOf(answer));
  response.setHeader('X-ClickHouse-Format', printable(answer.format));
  response.setHeader('Content-Type', contentTypeOf(answer.format));
  response.setHeader('Content-Length', body.length);
  response.writeHead(200);
  response.end(body);
}

/** What went wrong after the first byte can only be told by cutting the connection. */
async function sendChunks(
  request: Request,
  response: ServerResponse,
  chunks: AsyncIterable<{ raw(): Uint8Array }>,
  format: string,
): Promise<void> {
  const source = chunks[Symbol.asyncIterator]();
  // The first block is awaited before the headers: until then an error has a status of its own.
  const first = await source.next();
  response.setHeader('X-ClickHouse-Format', printable(format));
  response.setHeader('Content-Type', contentTypeOf(format));
  if (request.acceptsGzip) response.setHeader('Content-Encoding', 'gzip');
  response.writeHead(200);
  async function* blocks(): AsyncGenerator<Uint8Array> {
    for (let step = first; step.done !== true; step = await source.next()) yield step.value.raw();
  }
  const squeeze = request.acceptsGzip ? createGzip(gzipOptions) : new Transform(passThrough);
  try {
    await pipeline(blocks, squeeze, response);
  } catch {
    response.destroy();
  } finally {
    await source.return?.();
  }
}

const passThrough = {
  transform(chunk: Uint8Array, _encoding: string, done: (e: null, chunk: Uint8Array) => void) {
    done(null, chunk);
  },
};

/** Counts as ClickHouse's X-ClickHouse-Summary has them; what the engine does not tell is "0". */
function summaryOf(answer: Answer): string {
  const written = answer.isInsert;
  return JSON.stringify({
    read_rows: String(written ? answer.rows : 0),
    read_bytes: String(written ? answer.bytes : 0),
    written_rows: String(written ? answer.rows : 0),
    written_bytes: String(written ? answer.bytes : 0),
    total_rows_to_read: '0',
    result_rows: String(answer.rows),
    result_bytes: String(answer.bytes),
    elapsed_ns: String(Math.round(answer.elapsedSeconds * 1e9)),
  });
}

function sendFailure(
  message: IncomingMessage,
  response: ServerResponse,
  failure: Failure,
  version: string,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const status = statusOfCode(failure.code);
  response.setHeader('X-ClickHouse-Exception-Code', String(failure.code));
  if (failure.code === requiredPassword) {
    response.setHeader('WWW-Authenticate', 'Basic realm="ClickHouse server HTTP API"');
  }
  if (status === 503) response.setHeader('Retry-After', '1');
  // A body that was not read to its end would be taken for the next request.
  if (!message.complete) {
    response.setHeader('Connection', 'close');
    message.resume();
    response.on('finish', () => {
      setTimeout(() => message.destroy(), lingerMs).unref();
    });
  }
  sendText(response, status, failureText(failure, version));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Header values must not carry what a client put into a name. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 256);
}
