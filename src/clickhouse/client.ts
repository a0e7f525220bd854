import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
  type ClickHouseClient as Transport,
} from '@clickhouse/client';
import { messageOf, NodeError } from '../core/errors.js';
import { classify } from './errors.js';

export interface ClickhouseOptions {
  /** `http://` or `https://` addresses of replicas of one another; at least one. */
  readonly urls: readonly string[];
  readonly user: string;
  readonly password: string;
  /** Database of every statement; '' leaves it to the server. */
  readonly database: string;
  /** PEM of the authority that signed the server's certificate; undefined: Node's own list. */
  readonly ca: Buffer | undefined;
  /** The tables are replicated: an insert waits for a majority of the replicas. */
  readonly cluster: string | undefined;
}

/** What an INSERT needs to know besides its bytes. */
export interface InsertOptions {
  /** The same for every repetition of the same bytes, and for no other bytes ever. */
  readonly token: string;
  /** Rows in `blocks`: an insert is one block per partition, however many there are. */
  readonly rows: number;
}

export interface QueryLimits {
  readonly rowsMax: number;
  readonly secondsMax: number;
}

export type QueryParameters = Readonly<Record<string, unknown>>;

const insertSecondsMax = 180;
const defaultLimits: QueryLimits = { rowsMax: 100_000, secondsMax: 30 };
/** The server must give up before the client does, or a slow success would be sent again. */
const requestTimeoutMs = (insertSecondsMax + 30) * 1000;
const commandSecondsMax = insertSecondsMax;
const connectionsMax = 24;
const oldest = [24, 8] as const;

/**
 * The door to ClickHouse, for the embedded one and for servers alike. Every method rejects with a
 * `NodeError` whose cause is the transport's error; `classify` reads both.
 *
 * With several addresses one is used until it fails to answer; then the next call takes the next.
 */
export class ClickhouseClient {
  readonly #options: ClickhouseOptions;
  readonly #transports: readonly Transport[];
  #current = 0;

  constructor(options: ClickhouseOptions) {
    this.#options = options;
    this.#transports = options.urls.map((address) => {
      const { origin, pathname, protocol } = new URL(address);
      return createClient({
        url: origin,
        // A path belongs to a proxy in front; inside `url` it would be taken for the database.
        pathname: pathname === '/' ? undefined : pathname,
        username: options.user,
        password: options.password,
        database: options.database === '' ? undefined : options.database,
        request_timeout: requestTimeoutMs,
        max_open_connections: connectionsMax,
        compression: { request: false, response: false },
        log: { level: ClickHouseLogLevel.OFF },
        application: 'sluice',
        ...(options.ca !== undefined && protocol === 'https:'
          ? { tls: { ca_cert: options.ca } }
          : {}),
      });
    });
  }

  /**
   * Stores Native blocks as one INSERT. Resolves when the rows are durable, or when ClickHouse
   * knows the token and has them already.
   */
  async insertNative(
    table: string,
    blocks: Readable | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: InsertOptions,
  ): Promise<void> {
    const values = blocks instanceof Readable ? blocks : Readable.from(blocks, byteStream);
    await this.#ask(`insert into ${table}`, async (transport) => {
      const result = await transport.exec({
        query: `INSERT INTO ${table} FORMAT Native`,
        values,
        clickhouse_settings: insertSettings(options, this.#options.cluster !== undefined),
      });
      await drained(result.stream);
    });
  }

  /**
   * Rows of a SELECT, at most `rowsMax`; 64-bit integers come as strings, so none loses a digit.
   */
  async query<Row>(
    sql: string,
    parameters: QueryParameters = {},
    bounds: QueryLimits = defaultLimits,
  ): Promise<Row[]> {
    return await this.#ask('query', async (transport) => {
      const result = await transport.query({
        query: sql,
        format: 'JSONEachRow',
        query_params: parameters,
        clickhouse_settings: {
          ...querySettings(bounds),
          max_result_rows: String(bounds.rowsMax),
          result_overflow_mode: 'throw',
          output_format_json_quote_64bit_integers: 1,
        },
      });
      return await result.json<Row>();
    });
  }

  /**
   * The answer to any statement as it comes, in the format it names. The caller reads the stream to
   * its end or destroys it; a stream that breaks off is an error, never a short answer.
   */
  async stream(
    sql: string,
    parameters: QueryParameters = {},
    secondsMax = commandSecondsMax,
  ): Promise<Readable> {
    return await this.#ask('query', async (transport) => {
      const result = await transport.exec({
        query: sql,
        query_params: parameters,
        clickhouse_settings: querySettings({ ...defaultLimits, secondsMax }),
      });
      return result.stream;
    });
  }

  /** A statement without an answer. `settings` are ClickHouse's, for this statement only. */
  async command(
    sql: string,
    parameters: QueryParameters = {},
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#ask('run a statement', async (transport) => {
      await transport.command({
        query: sql,
        query_params: parameters,
        clickhouse_settings: {
          max_execution_time: commandSecondsMax,
          ...(settings as ClickHouseSettings),
        },
      });
    });
  }

  /** Rows given as objects, for small tables the node keeps itself. */
  async insertRows(
    table: string,
    rows: ReadonlyArray<Readonly<Record<string, unknown>>>,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    if (rows.length === 0) return;
    await this.#ask(`insert into ${table}`, async (transport) => {
      await transport.insert({
        table,
        values: [...rows],
        format: 'JSONEachRow',
        clickhouse_settings: { async_insert: 0, ...(settings as ClickHouseSettings) },
      });
    });
  }

  /** The server's version; throws SLUICE_CLICKHOUSE_TOO_OLD below 24.8. */
  async version(): Promise<string> {
    const [row] = await this.query<{ version: string }>('SELECT version() AS version');
    const version = row?.version ?? '';
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
      throw new NodeError(
        'SLUICE_CLICKHOUSE_TOO_OLD',
        `cannot use ClickHouse ${version}: at least ${oldest.join('.')} is needed`,
        'Upgrade the server, or remove clickhouse.url to use the embedded one.',
      );
    }
    return version;
  }

  /** True when the server answers and accepts the user. */
  async ping(): Promise<boolean> {
    const transport = this.#transports[this.#current];
    const result = await transport?.ping({ select: true });
    if (result?.success === true) return true;
    this.#turn();
    return false;
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close()));
  }

  async #ask<T>(what: string, run: (transport: Transport) => Promise<T>): Promise<T> {
    const at = this.#current;
    const transport = this.#transports[at];
    if (transport === undefined) throw unreachable(what, 'no address is configured', undefined);
    try {
      return await run(transport);
    } catch (error) {
      const { code, name } = classify(error);
      if (/^\d+$/.test(code)) {
        throw new NodeError(
          'SLUICE_CLICKHOUSE_REFUSED',
          `cannot ${what}: ClickHouse error ${code} ${name}: ${messageOf(error).slice(0, 2000)}`,
          '',
          error,
        );
      }
      if (at === this.#current) this.#turn();
      throw unreachable(what, messageOf(error), error);
    }
  }

  #turn(): void {
    this.#current = (this.#current + 1) % Math.max(1, this.#transports.length);
  }
}

const byteStream = { objectMode: false };

function unreachable(what: string, cause: string, error: unknown): NodeError {
  return new NodeError(
    'SLUICE_CLICKHOUSE_UNREACHABLE',
    `cannot ${what}: ${cause}`,
    'Check that ClickHouse runs, and clickhouse.url, user and password.',
    error,
  );
}

/** Reads an answer nobody needs to its end, so that the connection is used again. */
async function drained(stream: Readable): Promise<void> {
  stream.resume();
  await finished(stream);
}

function querySettings(bounds: QueryLimits): ClickHouseSettings {
  return { max_execution_time: bounds.secondsMax };
}

/**
 * One insert must become the same block each time it is sent, or its token would not be recognised:
 * all its rows in one block per partition, however many partitions a history spans.
 */
function insertSettings(options: InsertOptions, replicated: boolean): ClickHouseSettings {
  return {
    async_insert: 0,
    insert_deduplicate: 1,
    insert_deduplication_token: options.token,
    deduplicate_blocks_in_dependent_materialized_views: 1,
    max_partitions_per_insert_block: '0',
    throw_on_max_partitions_per_insert_block: 0,
    min_insert_block_size_rows: String(Math.max(2_000_000, options.rows * 2)),
    min_insert_block_size_bytes: '0',
    max_insert_threads: '1',
    // Rows that replace one another meet in the first merge, or in FINAL: doing it in every INSERT
    // as well takes a third of its processor time.
    optimize_on_insert: 0,
    max_execution_time: insertSecondsMax,
    ...(replicated ? { insert_quorum: 'auto' } : {}),
  };
}
