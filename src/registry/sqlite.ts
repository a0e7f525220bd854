import { chmodSync, closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type BetterSqlite3 from 'better-sqlite3';
import { messageOf, NodeError } from '../core/errors.js';

/**
 * The door to better-sqlite3: one open SQLite file. Nothing else imports the library.
 *
 * Calls into SQLite are synchronous, so none is left waiting here for another process: a lock
 * that is held elsewhere is tried again from a timer, not slept on, and the sockets of the node are
 * served meanwhile. Invariant: a transaction begins and ends inside one call of `write`, so within
 * a process transactions never overlap.
 */
export type SqliteStatement = BetterSqlite3.Statement<unknown[], unknown>;

/** The pause between two tries; importers leave longer gaps than this, see sqlite-import.ts. */
const lockRetryMs = 4;
/** Some ten seconds. */
const lockTriesMax = 2_500;

export class SqliteFile {
  readonly #path: string;
  readonly #database: BetterSqlite3.Database;
  /** Every SQL text of the program once: bounded by the source code. */
  readonly #statements: Map<string, SqliteStatement>;

  constructor(path: string, database: BetterSqlite3.Database) {
    this.#path = path;
    this.#database = database;
    this.#statements = new Map();
  }

  /** The prepared statement of a text; texts are constants, values are bound. */
  statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare<unknown[], unknown>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs a text of several statements. Only for migrations and temporary tables. */
  execute(sql: string): void {
    this.#database.exec(sql);
  }

  pragma(text: string): unknown {
    return this.#database.pragma(text, { simple: true });
  }

  /** Changes when another connection has committed to the file, never by our own commits. */
  dataVersion(): number {
    return this.statement('PRAGMA data_version').pluck().get() as number;
  }

  /** Runs `read`; `what` completes the sentence `cannot <what>: …` of a failure. */
  async read<T>(what: string, read: () => T): Promise<T> {
    return this.#patiently(what, read);
  }

  /** Runs `change` in a transaction that is synced to the disk when the promise resolves. */
  async write<T>(what: string, change: () => T): Promise<T> {
    return this.#patiently(what, () => this.#transact('BEGIN IMMEDIATE', change));
  }

  /** Runs `change` in a transaction that takes no lock as long as only temporary tables change. */
  async writeTemporary<T>(what: string, change: () => T): Promise<T> {
    return this.#patiently(what, () => this.#transact('BEGIN DEFERRED', change));
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  async #patiently<T>(what: string, run: () => T): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      if (!this.#database.open) throw registryFailed(what, 'the registry is closed', '');
      try {
        return run();
      } catch (error) {
        if (!isBusy(error) || tries >= lockTriesMax) throw this.#failure(what, error);
      }
      await delay(lockRetryMs);
    }
  }

  #transact<T>(begin: string, change: () => T): T {
    this.statement(begin).run();
    try {
      const result = change();
      this.statement('COMMIT').run();
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors (a full disk, an I/O error).
      if (this.#database.inTransaction) this.statement('ROLLBACK').run();
      throw error;
    }
  }

  #failure(what: string, error: unknown): unknown {
    const code = codeOf(error);
    if (code === undefined) return error;
    return registryFailed(what, messageOf(error), remedyOf(code, this.#path), error);
  }
}

export interface SqliteOptions {
  /** Gives up a lock held elsewhere after this time while opening, blocking the thread. */
  readonly lockWaitMs: number;
  readonly readonly?: boolean;
}

/** Loads the library; tests pass one that fails. */
export type SqliteLoader = () => Promise<{ default: typeof BetterSqlite3 }>;
const loadLibrary: SqliteLoader = () => import('better-sqlite3');

/**
 * Opens the file, made with mode 0600 when it is not there. Rejects with SLUICE_BINARY_MISSING when
 * the native library is not usable, SLUICE_REGISTRY_FAILED when the file is not.
 */
export async function openSqliteFile(
  path: string,
  options: SqliteOptions,
  load: SqliteLoader = loadLibrary,
): Promise<SqliteFile> {
  const Library = await loadOrExplain(load);
  if (options.readonly !== true) makePrivate(path);
  try {
    const database = new Library(path, {
      timeout: options.lockWaitMs,
      readonly: options.readonly ?? false,
      fileMustExist: true,
    });
    return new SqliteFile(path, database);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw binaryMissing(error);
    throw registryFailed(`open ${path}`, messageOf(error), remedyOf(code, path), error);
  }
}

/** SQLite gives its -wal and -shm files the mode of the database, so it is set before. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
  } catch (error) {
    const remedy = 'Give this user the right to write there, or use another --data-dir.';
    throw registryFailed(`open ${path}`, messageOf(error), remedy, error);
  }
}

async function loadOrExplain(load: SqliteLoader): Promise<typeof BetterSqlite3> {
  try {
    return (await load()).default;
  } catch (error) {
    throw binaryMissing(error);
  }
}

function binaryMissing(cause: unknown): NodeError {
  const message = messageOf(cause).split('\n', 1)[0];
  return new NodeError(
    'SLUICE_BINARY_MISSING',
    `cannot load better-sqlite3 for Node ${process.version} on ${process.platform}: ${message}`,
    'Run `npm rebuild better-sqlite3` with this Node version; it needs a C++ compiler and Python.',
    cause,
  );
}

/** True when another connection holds the lock: worth another try. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code === 'SQLITE_LOCKED');
}

/** SQLite's own code of an error, e.g. `SQLITE_FULL`; undefined for what it did not throw. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const code = error.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

function remedyOf(code: string, path: string): string {
  if (code.startsWith('SQLITE_FULL')) return 'Free space on the disk.';
  if (code.startsWith('SQLITE_BUSY')) return 'Another program holds the file; wait for it to end.';
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return `The file ${path} is damaged; put a backup in its place.`;
  }
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
    return `Check the rights and owner of ${path} and its folder.`;
  }
  return `Check the disk that holds ${path}.`;
}

function registryFailed(what: string, cause: string, remedy: string, error?: unknown): NodeError {
  return new NodeError('SLUICE_REGISTRY_FAILED', `cannot ${what}: ${cause}`, remedy, error);
}
