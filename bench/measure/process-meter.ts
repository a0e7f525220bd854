import { readdirSync, readFileSync } from 'node:fs';

/** Processor time and memory of processes, from /proc, in nanoseconds of the scheduler. */
export interface MeterReading {
  cpuSeconds: number;
  waitSeconds: number;
  residentBytes: number;
}

const pageBytes = 4096;

/**
 * Sums over all threads of the processes. A thread that ended takes its time with it, so a process
 * is read while it works. A process that is gone counts as nothing.
 */
export function readMeter(pids: readonly number[]): MeterReading {
  const sum: MeterReading = { cpuSeconds: 0, waitSeconds: 0, residentBytes: 0 };
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) {
      const [ran, waited] = readNumbers(`/proc/${pid}/task/${thread}/schedstat`);
      sum.cpuSeconds += (ran ?? 0) / 1e9;
      sum.waitSeconds += (waited ?? 0) / 1e9;
    }
    sum.residentBytes += (readNumbers(`/proc/${pid}/statm`)[1] ?? 0) * pageBytes;
  }
  return sum;
}

export function meterDifference(before: MeterReading, after: MeterReading): MeterReading {
  return {
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    waitSeconds: after.waitSeconds - before.waitSeconds,
    residentBytes: after.residentBytes,
  };
}

/** Processor time that the whole machine has spent since it started, in seconds. */
export function machineBusySeconds(): number {
  // cpu user nice system idle iowait irq softirq steal …, in ticks of 10 ms
  const [, , user, nice, system, , , irq, softirq] = readNumbers('/proc/stat');
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / 100;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readNumbers(path: string): number[] {
  try {
    return readFileSync(path, 'latin1').trim().split(' ').map(Number);
  } catch {
    return [];
  }
}
