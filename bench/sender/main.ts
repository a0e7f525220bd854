/**
 * The load sender's process: `node sender/main.js '<load as JSON>'`. Started by the bench, pinned
 * to its own core; prints one JSON line and exits 0 when the run was clean, 1 when it was not.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type MeterReading,
  machineBusySeconds,
  meterDifference,
  readMeter,
} from '../measure/process-meter.js';
import { Cannon } from './cannon.js';
import { Flood } from './flood.js';
import type { Histogram } from './histogram.js';
import { Http } from './http.js';
import { Idle } from './idle.js';
import type { Latency, Load, ProcessShare, SenderResult } from './load.js';
import { OpenLoop } from './open-loop.js';
import { Storm } from './storm.js';
import { Sustained } from './sustained.js';
import { Window } from './window.js';
import type { Workload } from './workload.js';

/** How long answers are waited for after the last message. */
const patienceMs = 20_000;

interface Snapshot {
  at: number;
  acked: number;
  self: MeterReading;
  machine: number;
  watched: Map<string, MeterReading>;
}

async function main(): Promise<void> {
  const load = JSON.parse(process.argv[2] ?? '') as Load;
  sharpenTimers();
  const workload = createWorkload(load);
  const { ledger } = workload;
  try {
    await workload.connect();
    if (load.hold) await heldUntilTold();
    workload.start();
    await sleep(load.warmupSeconds * 1000);
    ledger.latency.clear();
    const before = snapshot(load, workload);
    await sleep(load.seconds * 1000);
    const after = snapshot(load, workload);
    const latency = latencyOf(ledger.latency);
    workload.stop();
    const deadline = performance.now() + patienceMs;
    while (!workload.settled() && performance.now() < deadline) await sleep(5);
    report(resultOf(load, workload, before, after, latency));
  } catch (error) {
    ledger.remark(error instanceof Error ? error.message : String(error));
    const now = snapshot(load, workload);
    report(resultOf(load, workload, now, now, undefined));
  }
  workload.close();
  process.exit(ledger.audit().clean ? 0 : 1);
}

function createWorkload(load: Load): Workload {
  switch (load.kind) {
    case 'flood':
      return new Flood(load);
    case 'window':
      return new Window(load);
    case 'open':
      return new OpenLoop(load);
    case 'sustained':
      return new Sustained(load);
    case 'storm':
      return new Storm(load);
    case 'idle':
      return new Idle(load);
    case 'http':
      return new Http(load);
    case 'cannon':
      return new Cannon(load);
  }
}

function snapshot(load: Load, workload: Workload): Snapshot {
  const watched = new Map<string, MeterReading>();
  for (const [name, pids] of Object.entries(load.watch)) watched.set(name, readMeter(pids));
  return {
    at: performance.now(),
    acked: workload.ledger.acked,
    self: readMeter([process.pid]),
    machine: machineBusySeconds(),
    watched,
  };
}

function resultOf(
  load: Load,
  workload: Workload,
  before: Snapshot,
  after: Snapshot,
  latency: Latency | undefined,
): SenderResult {
  const seconds = (after.at - before.at) / 1000;
  const messages = after.acked - before.acked;
  const self = meterDifference(before.self, after.self);
  const watched: Record<string, ProcessShare> = {};
  for (const [name, reading] of after.watched) {
    watched[name] = meterDifference(before.watched.get(name) ?? reading, reading);
  }
  const known = Object.values(watched).reduce((sum, share) => sum + share.cpuSeconds, 0);
  const foreign = Math.max(0, after.machine - before.machine - known - self.cpuSeconds);
  return {
    kind: load.kind,
    connections: load.connections,
    seconds,
    messages,
    perSecond: seconds > 0 ? messages / seconds : 0,
    latency,
    audit: workload.ledger.audit(),
    sender: { ...self, busy: seconds > 0 ? busy(self, seconds) : 0 },
    watched,
    foreignCores: seconds > 0 ? foreign / seconds : 0,
    lastSentAtMs: workload.ledger.lastSentAtMs,
  };
}

/** The share of the time in which the sender had work, on its core or waiting for it. */
function busy(self: MeterReading, seconds: number): number {
  return Math.min(1, (self.cpuSeconds + self.waitSeconds) / seconds);
}

function latencyOf(histogram: Histogram): Latency | undefined {
  if (histogram.count === 0) return undefined;
  return {
    p50: histogram.quantile(0.5),
    p90: histogram.quantile(0.9),
    p99: histogram.quantile(0.99),
    max: histogram.max,
  };
}

/** The kernel may delay a wake-up by 50 µs to save power; the open loop wants it on time. */
function sharpenTimers(): void {
  try {
    writeFileSync('/proc/self/timerslack_ns', '1000');
  } catch {
    // Not allowed everywhere; naps are then a little longer.
  }
}

function heldUntilTold(): Promise<void> {
  process.stdout.write('{"event":"ready"}\n');
  return new Promise((resolve) => {
    process.stdin.once('data', () => {
      process.stdin.pause();
      resolve();
    });
  });
}

function report(result: SenderResult): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

await main();
