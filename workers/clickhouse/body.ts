import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { limits } from '../../src/core/limits.js';
import { Failure } from './failure.js';
import { readStatement, type Statement } from './statement.js';

/** A request's statement, and its data in a file of its own when it is an INSERT with data. */
export interface Received {
  readonly statement: Statement;
  /** Name below the spool folder, undefined without data. */
  readonly file: string | undefined;
  readonly bytes: number;
}

const unknownCompression = 89;
const notEnoughSpace = 243;
const queryTooLarge = 229;
const tooManyQueries = 202;
const inflateFailed = 354;

/** A write costs a trip to the thread pool, so chunks of a socket are collected to this size. */
const writeBytes = 512 * 1024;

/**
 * Keeps the data of INSERTs in files until the engine has read them.
 *
 *     sum of the files' bytes ≤ limits.clickhouseBodiesBytesMax
 *
 * The folder belongs to this process alone: what an earlier one left is removed at start.
 */
export class Spool {
  readonly #folder: string;
  #files = 0;
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads a whole request. A body that is cut off throws; nothing of it is ever inserted. */
  async receive(query: string, body: Readable | undefined, encoding: string): Promise<Received> {
    const head = new Head(query);
    if (body === undefined) return { statement: head.finish(), file: undefined, bytes: 0 };
    let sink: Sink | undefined;
    try {
      // The socket outlives a refused body: the refusal is still to be written to it.
      for await (const chunk of decoded(body, encoding).iterator({ destroyOnReturn: false })) {
        const bytes = chunk as Buffer;
        if (sink === undefined) {
          const data = head.push(bytes);
          if (data === undefined) continue;
          sink = await this.#openSink();
          await sink.write(data);
        } else {
          await sink.write(bytes);
        }
      }
      const statement = head.finish();
      if (statement.kind !== 'insert') return { statement, file: undefined, bytes: 0 };
      if (sink === undefined) {
        sink = await this.#openSink();
        await sink.write(head.data());
      }
      await sink.flush();
      await sink.close();
      return { statement, file: sink.name, bytes: sink.bytes };
    } catch (error) {
      await sink?.close();
      if (sink !== undefined) await this.remove(sink.name, sink.bytes);
      throw bodyFailure(error);
    }
  }

  async remove(name: string, bytes: number): Promise<void> {
    this.#bytes -= bytes;
    await unlink(join(this.#folder, name)).catch(() => {
      // Already gone: the folder was emptied by hand.
    });
  }

  async #openSink(): Promise<Sink> {
    this.#files += 1;
    const name = `body-${this.#files}`;
    const handle = await open(join(this.#folder, name), 'wx', 0o600);
    return new Sink(name, handle, (bytes) => {
      this.#bytes += bytes;
      if (this.#bytes <= limits.clickhouseBodiesBytesMax) return;
      throw new Failure(
        tooManyQueries,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `The bodies of all running INSERTs exceed ${limits.clickhouseBodiesBytesMax} bytes`,
      );
    });
  }
}

/** The first bytes of a request, until it is clear where data begins. */
class Head {
  #text: string;
  #dataFrom = -1;
  #statement: Statement = { kind: 'incomplete' };
  #readAt: number;

  constructor(query: string) {
    // ClickHouse joins the URL's query and the body with a line end.
    const bytes = query === '' ? '' : `${Buffer.from(query, 'utf8').toString('latin1')}\n`;
    this.#text = bytes;
    this.#readAt = bytes.length;
    if (bytes !== '') this.#read(false);
    // Blanks behind a statement that is complete in the URL are not the data's first bytes.
    if (this.#dataFrom >= 0 && this.#text.slice(this.#dataFrom).trim() === '') {
      this.#dataFrom = this.#text.length;
    }
  }

  /** Adds a chunk; returns the data read so far once the statement is known to carry data. */
  push(chunk: Buffer): Buffer | undefined {
    if (this.#dataFrom >= 0) {
      const before = this.data();
      this.#text = this.#text.slice(0, this.#dataFrom);
      return before.length === 0 ? chunk : Buffer.concat([before, chunk]);
    }
    this.#text += chunk.toString('latin1');
    if (this.#text.length >= this.#readAt) this.#read(false);
    if (this.#dataFrom < 0 && this.#text.length > limits.clickhouseQueryBytesMax) {
      throw new Failure(
        queryTooLarge,
        'QUERY_IS_TOO_LARGE',
        `Max query size exceeded: ${limits.clickhouseQueryBytesMax} bytes without INSERT data`,
      );
    }
    if (this.#dataFrom < 0) return undefined;
    const data = this.data();
    this.#text = this.#text.slice(0, this.#dataFrom);
    return data;
  }

  /** The bytes behind the statement. */
  data(): Buffer {
    return Buffer.from(this.#text.slice(this.#dataFrom), 'latin1');
  }

  finish(): Statement {
    if (this.#dataFrom < 0) this.#read(true);
    return this.#statement;
  }

  #read(whole: boolean): void {
    this.#statement = readStatement(this.#text, whole);
    this.#readAt = Math.max(4096, this.#text.length * 4);
    if (this.#statement.kind === 'insert') this.#dataFrom = this.#statement.dataAt;
  }
}

class Sink {
  readonly name: string;
  bytes = 0;
  readonly #handle: FileHandle;
  readonly #account: (bytes: number) => void;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #open = true;

  constructor(name: string, handle: FileHandle, account: (bytes: number) => void) {
    this.name = name;
    this.#handle = handle;
    this.#account = account;
  }

  async write(chunk: Buffer): Promise<void> {
    if (chunk.length === 0) return;
    this.bytes += chunk.length;
    this.#account(chunk.length);
    if (this.bytes > limits.clickhouseBodyBytesMax) {
      throw new Failure(
        queryTooLarge,
        'QUERY_IS_TOO_LARGE',
        `The data of an INSERT exceeds ${limits.clickhouseBodyBytesMax} bytes`,
      );
    }
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes >= writeBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const chunks = this.#pending;
    const bytes = this.#pendingBytes;
    if (bytes === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    const { bytesWritten } = await this.#handle.writev(chunks);
    // A regular file takes all it is given unless the disk is full.
    if (bytesWritten !== bytes) throw noSpace();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

function decoded(body: Readable, encoding: string): Readable {
  if (encoding === '' || encoding === 'identity') return body;
  const makers: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
    gzip: createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
  };
  const make = makers[encoding];
  if (make === undefined) {
    throw new Failure(
      unknownCompression,
      'UNKNOWN_COMPRESSION_METHOD',
      `Unknown compression method ${encoding.slice(0, 32)}. Supported: gzip, deflate, br`,
    );
  }
  const decoder = make();
  // An error of the socket must reach whoever reads from the decoder: pipe does not pass it on.
  body.on('error', (error) => {
    (decoder as unknown as Readable).destroy(error);
  });
  return body.pipe(decoder) as unknown as Readable;
}

function bodyFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return noSpace();
  }
  if (code.startsWith('Z_') || code.startsWith('ERR__ERROR_') || code === 'ERR_PADDING_2') {
    return new Failure(inflateFailed, 'ZLIB_INFLATE_FAILED', `Cannot decompress the body: ${code}`);
  }
  return error;
}

function noSpace(): Failure {
  return new Failure(notEnoughSpace, 'NOT_ENOUGH_SPACE', 'No space left for the body of an INSERT');
}
