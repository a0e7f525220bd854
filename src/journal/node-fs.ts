/**
 * The journal's file system on Node's `fs`, by callbacks: a commit costs one job of the thread pool
 * and one promise. Used by journal.ts unless a test passes another.
 */
import * as fs from 'node:fs';
import type { JournalFile, JournalFs, OpenMode } from './journal-fs.js';

/**
 * With O_DSYNC a write is its own fdatasync: one system call and one trip to the thread pool
 * instead of two (28 % more commits at 4 KiB, 30 % less processor time). Only Linux promises that
 * the device's cache is flushed as well; elsewhere write and fdatasync stay apart.
 */
const synchronousWrites = process.platform === 'linux';
/** IOV_MAX of Linux. */
const vectorsMax = 1024;
const fileMode = 0o600;

export const nodeFs: JournalFs = Object.freeze({
  makeDirectory: async (path: string): Promise<void> => {
    await fs.promises.mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (path: string): Promise<string[]> => fs.promises.readdir(path),
  open: async (path: string, mode: OpenMode): Promise<JournalFile> => {
    const descriptor = await call<number>((done) => fs.open(path, flagsOf(mode), fileMode, done));
    return new NodeFile(descriptor, mode === 'durable' && !synchronousWrites);
  },
  rename: (from: string, to: string): Promise<void> =>
    call<void>((done) => fs.rename(from, to, done)),
  unlink: (path: string): Promise<void> => call<void>((done) => fs.unlink(path, done)),
  syncDirectory: async (path: string): Promise<void> => {
    const descriptor = await call<number>((done) => fs.open(path, fs.constants.O_RDONLY, done));
    try {
      await call<void>((done) => fs.fsync(descriptor, done));
    } finally {
      await call<void>((done) => fs.close(descriptor, done));
    }
  },
  space: async (path: string) => {
    const found = await fs.promises.statfs(path);
    return {
      totalBytes: found.blocks * found.bsize,
      availableBytes: found.bavail * found.bsize,
    };
  },
});

function flagsOf(mode: OpenMode): number {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DSYNC } = fs.constants;
  if (mode === 'read') return O_RDONLY;
  if (mode === 'create') return O_RDWR | O_CREAT | O_EXCL;
  return synchronousWrites ? O_RDWR | O_DSYNC : O_RDWR;
}

class NodeFile implements JournalFile {
  private readonly descriptor: number;
  private readonly syncEachWrite: boolean;

  constructor(descriptor: number, syncEachWrite: boolean) {
    this.descriptor = descriptor;
    this.syncEachWrite = syncEachWrite;
  }

  async size(): Promise<number> {
    return (await call<fs.Stats>((done) => fs.fstat(this.descriptor, done))).size;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.byteLength) {
      const at = filled;
      const count = await call<number>((done) =>
        fs.read(this.descriptor, into, at, into.byteLength - at, position + at, done),
      );
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let rest = buffers;
    let at = position;
    while (rest.length > 0) {
      const part = rest.length > vectorsMax ? rest.slice(0, vectorsMax) : rest;
      const count = await call<number>((done) => fs.writev(this.descriptor, part, at, done));
      rest = withoutFirst(rest, count);
      at += count;
    }
    if (this.syncEachWrite) await this.sync();
  }

  sync(): Promise<void> {
    return call<void>((done) => fs.fdatasync(this.descriptor, done));
  }

  close(): Promise<void> {
    return call<void>((done) => fs.close(this.descriptor, done));
  }
}

/** What is left of `buffers` after their first `count` bytes: nothing, nearly always. */
function withoutFirst(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (let index = 0; index < buffers.length; index += 1) {
    const buffer = buffers[index];
    if (buffer === undefined) break;
    if (left < buffer.byteLength) return [buffer.subarray(left), ...buffers.slice(index + 1)];
    left -= buffer.byteLength;
  }
  return [];
}

/** A callback of `fs` as a promise, without what `util.promisify` adds. */
function call<Result>(
  start: (done: (error: NodeJS.ErrnoException | null, result?: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null || error === undefined) resolve(result as Result);
      else reject(error);
    });
  });
}
