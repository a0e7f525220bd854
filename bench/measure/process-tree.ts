import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** The children of a process, and theirs. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(Number(entry));
    if (parent !== undefined) parents.set(Number(entry), parent);
  }
  const found: number[] = [];
  const isBelow = (candidate: number): boolean => {
    for (let at = parents.get(candidate); at !== undefined && at > 1; at = parents.get(at)) {
      if (at === pid) return true;
    }
    return false;
  };
  for (const candidate of parents.keys()) if (isBelow(candidate)) found.push(candidate);
  return found;
}

/** Moves all threads of a process to one core. */
export function pinToCore(pid: number, core: number): void {
  const done = spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]);
  if (done.status !== 0) throw new Error(`cannot pin ${pid}: ${done.stderr}`);
}

/** Lowers the priority of all threads that a process has now; later ones inherit it. */
export function lowerPriority(pid: number, niceness: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      setPriority(Number(thread), niceness);
    } catch {
      // The thread ended meanwhile.
    }
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may hold anything.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
