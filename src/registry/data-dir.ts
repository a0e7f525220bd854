import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { messageOf, NodeError } from '../core/errors.js';
import { isBusy, openSqliteFile, type SqliteFile } from './sqlite.js';

/** What a running node tells about itself in `node.json`. */
export interface NodeFile {
  readonly pid: number;
  readonly version: string;
  /** The ports in use, by listener: `mqtt`, `http`, `metrics`, `clickhouse` (the embedded one). */
  readonly ports: Readonly<Record<string, number>>;
  /** The addresses they are bound to, by listener. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** A data directory that this process alone may use as a node, until it closes it or ends. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string;
  /** Replaces `node.json` as a whole: a reader sees the old or the new one. Throws what fs does. */
  writeNodeFile(node: NodeFile): void;
  /** Removes `node.json` and gives up the lock. */
  close(): void;
}

const lockFileName = 'node.lock';
const nodeFileName = 'node.json';
/** A node that was just ended may still be on its way out. */
const lockWaitMs = 300;

/**
 * Makes the directory (mode 0700) when it is not there, sees that it can be written, and locks it.
 * Rejects with SLUICE_DATA_UNUSABLE, or SLUICE_DATA_LOCKED when another node has it.
 *
 * The lock is SQLite's exclusive lock on an empty database: a lock of the operating system that
 * ends with the process, whatever ends it, unlike a file that merely exists. Nothing else in this
 * process may open that file: closing any handle of it would drop the lock (POSIX, fcntl).
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const folder = resolve(path);
  ensureDataDirectory(folder);
  const lock = await openLock(folder);
  try {
    lock.pragma('locking_mode = EXCLUSIVE');
    lock.execute('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw isBusy(error) ? locked(folder) : unusable(folder, error);
  }
  const nodeFile = join(folder, nodeFileName);
  // Left behind by a node that was killed.
  rmSync(nodeFile, { force: true });
  return {
    path: folder,
    writeNodeFile(node: NodeFile): void {
      const draft = `${nodeFile}.new`;
      writeFileSync(draft, `${JSON.stringify(node, undefined, 2)}\n`, { mode: 0o600 });
      renameSync(draft, nodeFile);
    },
    close(): void {
      rmSync(nodeFile, { force: true });
      lock.close();
    },
  };
}

async function openLock(folder: string): Promise<SqliteFile> {
  try {
    return await openSqliteFile(join(folder, lockFileName), { lockWaitMs });
  } catch (error) {
    const missing = error instanceof NodeError && error.code === 'SLUICE_BINARY_MISSING';
    throw missing ? error : unusable(folder, error);
  }
}

/**
 * Makes the directory when it is not there and sees that files can be made in it. The probe is
 * empty: on a full disk a node must still start, for it is the one that makes room.
 */
export function ensureDataDirectory(folder: string): void {
  const probe = join(folder, `.write-test-${process.pid}`);
  try {
    makeFolder(folder);
    writeFileSync(probe, '', { mode: 0o600 });
    rmSync(probe);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** Node's own recursive mkdir never ends where the parent exists and takes no folders (/proc). */
function makeFolder(folder: string): void {
  const parent = dirname(folder);
  if (existsSync(folder)) return;
  if (!existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error;
  }
}

/** What the node on this directory says of itself, or undefined when none is running. */
export async function readNodeFile(folder: string): Promise<NodeFile | undefined> {
  const node = parseNodeFile(join(folder, nodeFileName));
  if (node === undefined || !isAlive(node.pid)) return undefined;
  // The number of a process that was killed may belong to another program by now.
  return (await isLocked(folder)) ? node : undefined;
}

function parseNodeFile(path: string): NodeFile | undefined {
  try {
    const node: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof node === 'object' && node !== null && 'pid' in node && 'ports' in node
      ? (node as NodeFile)
      : undefined;
  } catch {
    // Not there or not ours: no node has written it.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Tries to read the lock's file, which fails while a node holds it and disturbs nobody else. */
async function isLocked(folder: string): Promise<boolean> {
  let lock: SqliteFile | undefined;
  try {
    lock = await openSqliteFile(join(folder, lockFileName), { lockWaitMs: 0, readonly: true });
    lock.statement('SELECT 1 FROM sqlite_master').get();
    return false;
  } catch (error) {
    return isBusy(error);
  } finally {
    lock?.close();
  }
}

function locked(folder: string): NodeError {
  const node = parseNodeFile(join(folder, nodeFileName));
  const who = node === undefined ? 'another node' : `the node with process id ${node.pid}`;
  return new NodeError(
    'SLUICE_DATA_LOCKED',
    `cannot use data directory ${folder}: ${who} has it`,
    'Stop that node, or give this one another --data-dir.',
  );
}

function unusable(folder: string, cause: unknown): NodeError {
  return new NodeError(
    'SLUICE_DATA_UNUSABLE',
    `cannot use data directory ${folder}: ${messageOf(cause)}`,
    'Give this user the right to write there, or use another --data-dir.',
    cause,
  );
}
