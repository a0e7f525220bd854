/**
 * `node dist/bench/counters.js`: counts per message that do not depend on the speed of the machine,
 * compared with `counters/thresholds.ts`. Exit code 1 when one is exceeded. About a minute.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../src/core/package-root.js';
import { type CallCounts, Strace } from './counters/strace.js';
import { type CounterName, type Threshold, thresholds } from './counters/thresholds.js';
import { stopAllChildren, stopAllChildrenOnSignals } from './measure/child.js';
import { runSender } from './measure/run-sender.js';
import { metricDelta } from './measure/scrape.js';
import { removeFolder, temporaryFolder } from './measure/temporary-folder.js';
import { senderCore } from './peers/server.js';
import { Product } from './product.js';
import type { ScenarioLoad } from './scenario.js';
import type { Load, SenderResult } from './sender/load.js';

type Counters = Partial<Record<CounterName, number>>;

const deviceLike: ScenarioLoad = { kind: 'window', qos: 1, connections: 500, window: 1 };
const thin: ScenarioLoad = { kind: 'open', connections: 1000, perSecond: 10_000 };
const pipelined: ScenarioLoad = { kind: 'window', qos: 1, connections: 50, window: 64 };
const pointsPerMessage = 3;
const fastEnough = 50_000;

async function main(): Promise<void> {
  const folder = temporaryFolder('counters');
  const heapFile = join(folder, 'heap.json');
  const probe = new URL('./counters/heap-probe.js', import.meta.url).href;
  const counters: Counters = {};
  stopAllChildrenOnSignals();
  try {
    const product = await Product.start({
      devices: 1000,
      pinned: true,
      nodeOptions: ['--import', probe],
      env: { BENCH_HEAP_FILE: heapFile },
    });
    await load(product, pipelined, 2); // compiled and warm before anything is counted
    await countBatches(product, counters);
    await countHeap(product, heapFile, counters);
    await countCalls(product, counters);
    await product.stop();
  } finally {
    await stopAllChildren();
    removeFolder(folder);
  }
  process.exitCode = report(counters) ? 0 : 1;
}

/** Runs a load; throws unless all of it was acknowledged and stored. */
async function load(
  product: Product,
  shape: ScenarioLoad,
  seconds: number,
  onReady?: () => Promise<void>,
): Promise<SenderResult> {
  const before = await product.scrape();
  const full = {
    ...shape,
    port: product.mqttPort,
    firstDevice: 0,
    warmupSeconds: 0,
    seconds,
    watch: product.watch,
    hold: onReady !== undefined,
  } as Load;
  const result = await runSender(full, senderCore, onReady);
  const fault = await product.audit(before, result, pointsPerMessage);
  if (!result.audit.clean || fault !== '') {
    throw new Error(`the run was not clean: ${fault} ${JSON.stringify(result.audit)}`);
  }
  return result;
}

/** Tasks, commits and journal bytes, from the node's own metrics. */
async function countBatches(product: Product, counters: Counters): Promise<void> {
  await product.quiet();
  let before = await product.scrape();
  let result = await load(product, pipelined, 3);
  let after = await product.scrape();
  const messages = result.audit.sent;
  if (result.perSecond >= fastEnough) {
    const tasks = metricDelta(before, after, 'sluice_batch_messages_count');
    counters.tasksPerThousand = (tasks / messages) * 1000;
  }
  const written = metricDelta(before, after, 'sluice_journal_written_bytes_total');
  counters.journalBytesPerMessage = written / messages;

  before = await product.scrape();
  result = await load(product, thin, 3);
  after = await product.scrape();
  const sendingSeconds = result.audit.sent / result.perSecond;
  const commits = metricDelta(before, after, 'sluice_journal_commits_total');
  counters.commitsPerSecond = commits / sendingSeconds;
}

async function countHeap(product: Product, file: string, counters: Counters): Promise<void> {
  counters.heapBytesPipelined = await heapBytes(product, file, pipelined);
  counters.heapBytesPerRead = await heapBytes(product, file, deviceLike);
}

async function heapBytes(product: Product, file: string, shape: ScenarioLoad): Promise<number> {
  rmSync(file, { force: true });
  const result = await load(product, shape, 3, async () => {
    process.kill(product.pid, 'SIGUSR2');
    await sleep(100);
  });
  process.kill(product.pid, 'SIGUSR2');
  for (let waited = 0; !existsSync(file); waited++) {
    if (waited > 100) throw new Error('the heap probe does not answer');
    await sleep(50);
  }
  await sleep(50); // the file is written in one call after it exists
  const { bytes } = JSON.parse(readFileSync(file, 'utf8')) as { bytes: number };
  return bytes / result.audit.sent;
}

async function countCalls(product: Product, counters: Counters): Promise<void> {
  const device = await tracedCalls(product, deviceLike);
  const { calls, messages } = device;
  counters.socketCallsPerMessage = (calls.socketReads + calls.socketWrites) / messages;
  counters.systemCallsPerMessage = calls.all / messages;
  counters.epollControlsPerMessage = calls.epollControls / messages;
  describe('one message per connection', calls, messages);
  const piped = await tracedCalls(product, pipelined);
  counters.socketWritesPerRead = piped.calls.socketWrites / piped.calls.socketReads;
  describe('64 messages per connection', piped.calls, piped.messages);
}

async function tracedCalls(
  product: Product,
  shape: ScenarioLoad,
): Promise<{ calls: CallCounts; messages: number }> {
  let strace: Strace | undefined;
  const result = await load(product, shape, 3, async () => {
    strace = await Strace.attach(product.pid);
  });
  if (strace === undefined) throw new Error('strace was not started');
  return { calls: await strace.stop(), messages: result.audit.sent };
}

function describe(title: string, calls: CallCounts, messages: number): void {
  const parts = Object.entries(calls).map(
    ([name, count]) => `${name} ${(count / messages).toFixed(3)}`,
  );
  process.stdout.write(`system calls per message, ${title}: ${parts.join(', ')}\n`);
}

/** Prints and writes the counters; true when all are within their bounds. */
function report(counters: Counters): boolean {
  let good = true;
  const rows: Record<string, { value: number | null; most: number; ok: boolean }> = {};
  for (const [key, threshold] of Object.entries(thresholds) as [CounterName, Threshold][]) {
    const value = counters[key];
    // A counter that was not taken (a machine too slow for it) is no proof of anything.
    const ok = value === undefined || value <= threshold.most;
    good &&= ok;
    rows[key] = { value: value ?? null, most: threshold.most, ok };
    const shown = value === undefined ? 'not taken' : `${value.toFixed(3)}${threshold.unit}`;
    const mark = ok ? 'ok      ' : 'EXCEEDED';
    process.stdout.write(`${mark}  ${shown} (≤ ${threshold.most})  ${threshold.name}\n`);
  }
  const folder = join(packageRoot(), 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'counters.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
  return good;
}

await main();
