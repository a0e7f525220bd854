/**
 * A file system in memory that behaves like a bad disk, for the journal's tests.
 *
 * Every file has two contents: what a program sees, and what the device would still have after a
 * loss of power. Writes are in the first at once and in the second after a sync; a crash lets any
 * of the 512-byte sectors in between through, in any order. Renames, creations and removals wait
 * for a sync of their directory in the same way, in order for one file and in any order between
 * files.
 */
import { dirname } from 'node:path';
import type { JournalFile, JournalFs, OpenMode } from '../../src/journal/journal-fs.js';

export type FaultOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'rename'
  | 'unlink'
  | 'syncDirectory';

/** Returns the errno name of the error to fail with, undefined to let the operation through. */
export type Fault = (operation: FaultOperation, path: string) => string | undefined;

interface Inode {
  /** What a program reads. */
  content: Uint8Array;
  /** What survives. */
  device: Uint8Array;
  /** Written and not synced. */
  dirty: { at: number; bytes: Uint8Array }[];
}

/** A change of the name space that no directory sync has made durable. */
interface Change {
  readonly inode: Inode;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

const sectorBytes = 512;

export class FaultFs implements JournalFs {
  readonly random: () => number;
  readonly capacityBytes: number;
  /** Bytes that somebody else has taken. */
  othersBytes: number;
  fault: Fault;
  /** How many microtasks an operation takes at most. */
  turnsMax: number;
  writes: number;
  syncs: number;
  directorySyncs: number;
  #names: Map<string, Inode>;
  #deviceNames: Map<string, Inode>;
  #changes: Change[];
  dead: boolean;

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number, capacityBytes: number) {
    this.random = random;
    this.capacityBytes = capacityBytes;
    this.othersBytes = 0;
    this.fault = () => undefined;
    this.turnsMax = 3;
    this.writes = 0;
    this.syncs = 0;
    this.directorySyncs = 0;
    this.#names = new Map();
    this.#deviceNames = new Map();
    this.#changes = [];
    this.dead = false;
  }

  /** The file's content as a program sees it; changing it damages the file on the device too. */
  content(path: string): Uint8Array {
    return this.#inode(path).content;
  }

  truncate(path: string, size: number): void {
    const inode = this.#inode(path);
    inode.content = inode.content.slice(0, size);
    inode.device = inode.device.slice(0, size);
  }

  paths(): string[] {
    return [...this.#names.keys()];
  }

  /** Power is lost: what the device has. This object never answers again. */
  losePower(): FaultFs {
    const next = this.#successor();
    for (const [path, inode] of this.#namesAfterCrash()) {
      next.#put(path, this.#deviceAfterCrash(inode));
    }
    return next;
  }

  /** The process is killed: the kernel has all that was handed to it. */
  killProcess(): FaultFs {
    const next = this.#successor();
    for (const [path, inode] of this.#names) next.#put(path, inode.content.slice());
    return next;
  }

  async makeDirectory(): Promise<void> {
    await this.#pass('open', '', false);
    if (this.dead) await this.gone();
  }

  async list(path: string): Promise<string[]> {
    await this.#pass('open', path, false);
    if (this.dead) await this.gone();
    const found = new Set<string>();
    for (const name of this.#names.keys()) {
      if (!name.startsWith(`${path}/`)) continue;
      const [first = ''] = name.slice(path.length + 1).split('/');
      found.add(first);
    }
    return [...found];
  }

  async open(path: string, mode: OpenMode): Promise<JournalFile> {
    await this.#pass('open', path, true);
    if (this.dead) await this.gone();
    if (mode === 'create') {
      if (this.#names.has(path)) throw systemError('EEXIST', path);
      const inode: Inode = { content: new Uint8Array(0), device: new Uint8Array(0), dirty: [] };
      this.#names.set(path, inode);
      this.#changes.push({ inode, from: undefined, to: path });
      return new FaultFile(this, inode, path, false);
    }
    return new FaultFile(this, this.#inode(path), path, mode === 'durable');
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pass('rename', from, true);
    if (this.dead) await this.gone();
    const inode = this.#inode(from);
    this.#names.delete(from);
    this.#names.set(to, inode);
    this.#changes.push({ inode, from, to });
  }

  async unlink(path: string): Promise<void> {
    await this.#pass('unlink', path, true);
    if (this.dead) await this.gone();
    const inode = this.#inode(path);
    this.#names.delete(path);
    this.#changes.push({ inode, from: path, to: undefined });
  }

  async syncDirectory(path: string): Promise<void> {
    const covered = this.#changes.filter(
      ({ from, to }) => dirname(to ?? from ?? '') === path || dirname(from ?? to ?? '') === path,
    );
    await this.#pass('syncDirectory', path, true);
    if (this.dead) await this.gone();
    this.directorySyncs += 1;
    for (const change of covered) this.#apply(change, this.#deviceNames);
    this.#changes = this.#changes.filter((change) => !covered.includes(change));
  }

  async space(): Promise<{ totalBytes: number; availableBytes: number }> {
    await this.#pass('open', '', false);
    if (this.dead) await this.gone();
    return { totalBytes: this.capacityBytes, availableBytes: this.available() };
  }

  /** For FaultFile: waits some turns, then fails if the test wants it to. */
  pass(operation: FaultOperation, path: string): Promise<void> {
    return this.#pass(operation, path, true);
  }

  available(): number {
    let used = this.othersBytes;
    for (const inode of this.#names.values()) used += inode.content.byteLength;
    return Math.max(0, this.capacityBytes - used);
  }

  /** Whoever called before the crash does not exist any more: awaits this before any effect. */
  gone(): Promise<void> | undefined {
    return this.dead ? new Promise(() => {}) : undefined;
  }

  async #pass(operation: FaultOperation, path: string, mayFail: boolean): Promise<void> {
    for (let turns = Math.floor(this.random() * (this.turnsMax + 1)); turns > 0; turns -= 1) {
      await undefined;
    }
    const code = mayFail ? this.fault(operation, path) : undefined;
    if (code !== undefined) throw systemError(code, path);
  }

  #successor(): FaultFs {
    this.dead = true;
    const next = new FaultFs(this.random, this.capacityBytes);
    next.othersBytes = this.othersBytes;
    next.turnsMax = this.turnsMax;
    return next;
  }

  #put(path: string, content: Uint8Array): void {
    const inode = { content, device: content.slice(), dirty: [] };
    this.#names.set(path, inode);
    this.#deviceNames.set(path, inode);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError('ENOENT', path);
    return inode;
  }

  #apply({ inode, from, to }: Change, names: Map<string, Inode>): void {
    if (from !== undefined && names.get(from) === inode) names.delete(from);
    if (to !== undefined) names.set(to, inode);
  }

  #namesAfterCrash(): Map<string, Inode> {
    const names = new Map(this.#deviceNames);
    const stopped = new Set<Inode>();
    for (const change of this.#changes) {
      if (stopped.has(change.inode)) continue;
      if (this.random() < 0.5) this.#apply(change, names);
      else stopped.add(change.inode);
    }
    return names;
  }

  #deviceAfterCrash(inode: Inode): Uint8Array {
    let device: Uint8Array = inode.device.slice();
    const order = inode.dirty.map((write) => ({ write, key: this.random() }));
    order.sort((a, b) => a.key - b.key);
    const share = this.random(); // from nearly nothing to nearly all of it
    for (const { write } of order) {
      device = applySectors(device, write.at, write.bytes, () => this.random() < share);
    }
    return device;
  }
}

class FaultFile implements JournalFile {
  readonly #fs: FaultFs;
  readonly #inode: Inode;
  readonly #path: string;
  readonly #durable: boolean;

  constructor(fs: FaultFs, inode: Inode, path: string, durable: boolean) {
    this.#fs = fs;
    this.#inode = inode;
    this.#path = path;
    this.#durable = durable;
  }

  async size(): Promise<number> {
    return this.#inode.content.byteLength;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    await this.#fs.pass('read', this.#path);
    if (this.#fs.dead) await this.#fs.gone();
    const found = this.#inode.content.subarray(position, position + into.byteLength);
    into.set(found);
    return found.byteLength;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const fs = this.#fs;
    const inode = this.#inode;
    fs.writes += 1;
    const bytes = Buffer.concat(buffers);
    const growth = Math.max(0, position + bytes.byteLength - inode.content.byteLength);
    if (growth > fs.available()) {
      // As much as fits is written before the error is told.
      this.#put(bytes.subarray(0, bytes.byteLength - growth + fs.available()), position);
      throw systemError('ENOSPC', this.#path);
    }
    const write = this.#put(bytes, position);
    try {
      await fs.pass('write', this.#path);
    } catch (thrown) {
      if (fs.dead) await fs.gone();
      // After a failed write-back the kernel takes the pages for clean: some of it is on the
      // device, the rest never will be, and no later sync says so.
      inode.dirty = inode.dirty.filter((other) => other !== write);
      inode.device = applySectors(inode.device, write.at, bytes, () => fs.random() < 0.5);
      throw thrown;
    }
    if (fs.dead) await fs.gone();
    if (!this.#durable) return;
    fs.syncs += 1;
    inode.dirty = inode.dirty.filter((other) => other !== write);
    inode.device = applySectors(inode.device, position, bytes, () => true);
  }

  async sync(): Promise<void> {
    const inode = this.#inode;
    const covered = [...inode.dirty];
    await this.#fs.pass('sync', this.#path);
    if (this.#fs.dead) await this.#fs.gone();
    this.#fs.syncs += 1;
    for (const { at, bytes } of covered) {
      inode.device = applySectors(inode.device, at, bytes, () => true);
    }
    inode.dirty = inode.dirty.filter((write) => !covered.includes(write));
  }

  async close(): Promise<void> {}

  #put(bytes: Uint8Array, at: number): { at: number; bytes: Uint8Array } {
    const inode = this.#inode;
    inode.content = grown(inode.content, at + bytes.byteLength);
    inode.content.set(bytes, at);
    const write = { at, bytes };
    inode.dirty.push(write);
    return write;
  }
}

/** Writes those sectors of `bytes` that `chosen` lets through; sectors are aligned in the file. */
function applySectors(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  chosen: () => boolean,
): Uint8Array {
  const ranges: { from: number; to: number }[] = [];
  let from = 0;
  while (from < bytes.byteLength) {
    const to = Math.min(bytes.byteLength, from + sectorBytes - ((at + from) % sectorBytes));
    if (chosen()) ranges.push({ from, to });
    from = to;
  }
  const last = ranges.at(-1);
  if (last === undefined) return target;
  const result = grown(target, at + last.to);
  for (const range of ranges) {
    result.set(bytes.subarray(range.from, range.to), at + range.from);
  }
  return result;
}

function grown(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.byteLength >= size) return bytes;
  const larger = new Uint8Array(size);
  larger.set(bytes);
  return larger;
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
