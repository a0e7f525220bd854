import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../measure/child.js';
import { removeFolder, temporaryFolder } from '../measure/temporary-folder.js';

/** System calls of a process by kind, failed ones and ends of connections left out. */
export interface CallCounts {
  socketReads: number;
  socketWrites: number;
  epollWaits: number;
  epollControls: number;
  /** Wake-ups of one thread by another: eventfd reads and writes, and futexes. */
  wakeUps: number;
  /** Writes and syncs of files. */
  fileWrites: number;
  fileSyncs: number;
  all: number;
}

const attachMs = 10_000;

/** Traces all threads of a running process until `stop`. */
export class Strace {
  private readonly child: Child;
  private readonly folder: string;

  private constructor(child: Child, folder: string) {
    this.child = child;
    this.folder = folder;
  }

  static async attach(pid: number): Promise<Strace> {
    const folder = temporaryFolder('strace');
    const args = ['-f', '-y', '-s', '0', '-o', join(folder, 'trace'), '-p', String(pid)];
    const child = new Child('strace', args);
    const deadline = Date.now() + attachMs;
    while (!child.output.includes('attached')) {
      if (!child.alive || Date.now() > deadline) {
        await child.stop('SIGINT');
        throw new Error(`strace cannot attach: ${child.output}`);
      }
      await sleep(50);
    }
    await sleep(300); // the remaining threads
    return new Strace(child, folder);
  }

  async stop(): Promise<CallCounts> {
    await this.child.stop('SIGINT');
    const text = readFileSync(join(this.folder, 'trace'), 'latin1');
    removeFolder(this.folder);
    return countCalls(text);
  }
}

/** `1234 read(23<socket:[456]>, ""..., 65536) = 76`, or in two lines, unfinished and resumed. */
function countCalls(trace: string): CallCounts {
  const counts: CallCounts = {
    socketReads: 0,
    socketWrites: 0,
    epollWaits: 0,
    epollControls: 0,
    wakeUps: 0,
    fileWrites: 0,
    fileSyncs: 0,
    all: 0,
  };
  const unfinished = new Map<string, string>();
  for (const line of trace.split('\n')) {
    const begin = /^(\d+) +(\w+)\((.*)$/.exec(line);
    if (begin !== null) {
      const [, thread = '', name = '', rest = ''] = begin;
      const call = `${name} ${kindOfFile(rest)}`;
      if (rest.endsWith('<unfinished ...>')) unfinished.set(thread, call);
      else count(counts, call, resultOf(rest));
      continue;
    }
    const end = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line);
    const call = unfinished.get(end?.[1] ?? '');
    if (end === null || call === undefined) continue;
    unfinished.delete(end[1] ?? '');
    count(counts, call, resultOf(end[2] ?? ''));
  }
  return counts;
}

function kindOfFile(rest: string): string {
  const file = /^\d+<([^>]*)>/.exec(rest)?.[1] ?? '';
  if (file.startsWith('socket:') || file.startsWith('TCP:')) return 'socket';
  if (file.startsWith('anon_inode:[eventfd')) return 'eventfd';
  if (file.startsWith('pipe:')) return 'pipe';
  return file.startsWith('/') ? 'file' : '';
}

function resultOf(rest: string): number {
  const match = / = (-?\d+)[^=]*$/.exec(rest);
  return match === null ? Number.NaN : Number(match[1]);
}

function count(counts: CallCounts, call: string, result: number): void {
  const [name = '', kind = ''] = call.split(' ');
  if (kind === 'socket' && (name === 'read' || name === 'recvfrom')) {
    if (!(result > 0)) return; // nothing to read, or the end of a connection
    counts.socketReads += 1;
  } else if (kind === 'socket' && /^(?:write|writev|sendmsg|sendto)$/.test(name)) {
    counts.socketWrites += 1;
  } else if (/^epoll_p?wait2?$/.test(name)) counts.epollWaits += 1;
  else if (name === 'epoll_ctl') counts.epollControls += 1;
  else if (kind === 'eventfd' || name === 'futex') counts.wakeUps += 1;
  else if (kind === 'file' && /write/.test(name)) counts.fileWrites += 1;
  else if (name === 'fdatasync' || name === 'fsync') counts.fileSyncs += 1;
  counts.all += 1;
}
