import { limits } from '../../src/core/limits.js';
import type { Received } from './body.js';
import { Failure, failureOf } from './failure.js';
import { isStreamable } from './formats.js';
import type { Request } from './request.js';
import {
  type EngineStream,
  type Lease,
  quoteText,
  type SessionPool,
  type SessionState,
} from './session-pool.js';
import type { Statement } from './statement.js';
import { Turnstile } from './turnstile.js';

/** The answer to one statement; `finish` must be called once when it was sent, or could not be. */
export interface Answer {
  readonly format: string;
  readonly body: Uint8Array;
  /** Replaces `body` when the result is sent as it comes. */
  readonly chunks: EngineStream | undefined;
  /** Rows and bytes of the result, or of an INSERT's data. */
  readonly rows: number;
  readonly bytes: number;
  readonly isInsert: boolean;
  readonly elapsedSeconds: number;
  finish(): Promise<void>;
}

const syntaxError = 62;
const aborted = 236;
const resultTooLarge = 396;
const streamKeywords = new Set(['SELECT', 'WITH', 'FROM']);
const readKeywords = new Set([...streamKeywords, 'SHOW', 'DESC', 'DESCRIBE', 'EXISTS', 'EXPLAIN']);

/**
 * Runs statements in the engine, bounded in number, time, memory and result.
 *
 * Readers and writers wait in lines of their own, so that slow queries never hold up an INSERT.
 */
export class Engine {
  readonly version: string;
  readonly #sessions: SessionPool;
  readonly #database: string;
  readonly #reads = new Turnstile(
    limits.clickhouseReadsMax,
    limits.clickhouseWaitingMax,
    limits.clickhouseWaitMs,
  );
  readonly #writes = new Turnstile(
    limits.clickhouseWritesMax,
    limits.clickhouseWaitingMax,
    limits.clickhouseWaitMs,
  );
  #statements = 0;
  #closing = false;

  constructor(sessions: SessionPool, database: string, version: string) {
    this.#sessions = sessions;
    this.#database = database;
    this.version = version;
  }

  /**
   * Runs the statement of a request. `gone` aborts when the client has left: a query that only
   * reads is then killed, anything else runs to its end. Throws a `Failure`.
   */
  async execute(request: Request, received: Received, gone: AbortSignal): Promise<Answer> {
    const { statement } = received;
    if (statement.kind === 'empty' || statement.kind === 'incomplete') {
      throw new Failure(syntaxError, 'SYNTAX_ERROR', 'Empty query');
    }
    if (this.#closing) throw new Failure(aborted, 'ABORTED', 'The server is shutting down');
    const reads = statement.kind === 'query' && readKeywords.has(statement.keyword);
    const line = reads ? this.#reads : this.#writes;
    const state: SessionState = {
      database: request.database === '' ? this.#database : request.database,
      settings: request.settings,
      parameters: request.parameters,
      readonly: request.method !== 'POST',
    };
    await line.enter();
    let lease: Lease | undefined;
    const finish = async (clean: boolean): Promise<void> => {
      if (lease !== undefined) await this.#sessions.release(lease, state, clean);
      line.leave();
    };
    try {
      lease = await this.#sessions.acquire(state);
      if (statement.kind === 'insert') {
        const answer = await this.#insert(lease, statement, received.file ?? '');
        await finish(true);
        return answer;
      }
      const answer = await this.#query(request, lease, statement, gone);
      // A session that streamed is not used again: its cursor may still be closing.
      if (answer.chunks !== undefined) return { ...answer, finish: () => finish(false) };
      await finish(reads);
      return answer;
    } catch (error) {
      // Not used again: a failed statement stays in the engine's list until its session ends.
      await finish(false);
      throw failureOf(error);
    }
  }

  /** Takes no more statements; ends when none runs any more. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#sessions.drain();
  }

  async #insert(lease: Lease, statement: InsertStatement, file: string): Promise<Answer> {
    const { into, settings, format } = statement;
    const from = `FROM INFILE ${quoteText(file)} COMPRESSION 'none'`;
    const result = await this.#sessions.run(
      lease,
      utf8(`${into} ${from} ${settings} FORMAT ${format}`),
    );
    return {
      format: 'TabSeparated',
      body: new Uint8Array(0),
      chunks: undefined,
      rows: result.rowsRead,
      bytes: result.bytesRead,
      isInsert: true,
      elapsedSeconds: result.elapsed,
      finish: nothing,
    };
  }

  async #query(
    request: Request,
    lease: Lease,
    statement: QueryStatement,
    gone: AbortSignal,
  ): Promise<Answer> {
    this.#statements += 1;
    const mark = `/* sluice statement ${this.#statements} */`;
    const sql = `${utf8(statement.text)}\n${mark}`;
    const format = statement.format ?? request.defaultFormat;
    const kill = (): void => {
      if (readKeywords.has(statement.keyword)) this.#kill(mark);
    };
    if (gone.aborted) kill();
    gone.addEventListener('abort', kill, { once: true });
    try {
      const result = await this.#sessions.run(lease, sql, format);
      return {
        format,
        body: result.bytes(),
        chunks: undefined,
        rows: result.rowsRead,
        bytes: result.bytesRead,
        isInsert: false,
        elapsedSeconds: result.elapsed,
        finish: nothing,
      };
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code !== resultTooLarge || !mayStream(request, statement.keyword, format)) {
        throw failure;
      }
    } finally {
      gone.removeEventListener('abort', kill);
    }
    return await this.#stream(lease, sql, format);
  }

  /** The result is too large to be held: sends it block by block, as fast as the client reads. */
  async #stream(lease: Lease, sql: string, format: string): Promise<Answer> {
    await this.#sessions.run(lease, 'SET max_result_rows = 0, max_result_bytes = 0');
    return {
      format,
      body: new Uint8Array(0),
      chunks: lease.session.queryStream(sql, { format }),
      rows: 0,
      bytes: 0,
      isInsert: false,
      elapsedSeconds: 0,
      finish: nothing,
    };
  }

  /** Nobody waits for this: when it fails, the query ends by its own time limit. */
  #kill(mark: string): void {
    const state: SessionState = {
      database: this.#database,
      settings: new Map(),
      parameters: new Map(),
      readonly: false,
    };
    const run = async (): Promise<void> => {
      const lease = await this.#sessions.acquire(state);
      const sql = `KILL QUERY WHERE endsWith(query, ${quoteText(mark)}) ASYNC`;
      try {
        await this.#sessions.run(lease, sql);
      } finally {
        await this.#sessions.release(lease, state, true);
      }
    };
    run().catch(() => {});
  }
}

type InsertStatement = Extract<Statement, { kind: 'insert' }>;
type QueryStatement = Extract<Statement, { kind: 'query' }>;

async function nothing(): Promise<void> {}

function mayStream(request: Request, keyword: string, format: string): boolean {
  if (request.waitEndOfQuery || request.settings.has('max_result_rows')) return false;
  if (request.settings.has('max_result_bytes')) return false;
  return streamKeywords.has(keyword) && isStreamable(format);
}

/** Statements are read as latin1 so that offsets are bytes; the engine wants them as they were. */
function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
