/**
 * The journal against the bare file system, in the same minute: slices of "raw" (a preallocated
 * file, `writev` then `fdatasync`), of the same with O_DSYNC, and of the journal, one after the
 * other; the ratio is the median over the rounds. The journal is measured with the next group
 * waiting, which is how the pipeline drives it, and one group at a time. Then what eight appends in
 * flight give, CRC-32C alone, and how long a start takes.
 *
 *     node dist/bench/micro/journal.js [--quick] [--json]
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Bench } from 'tinybench';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { simdCrc32c } from '../../src/journal/crc32c-simd.js';
import { tableCrc32c } from '../../src/journal/crc32c-tables.js';
import { Journal } from '../../src/journal/journal.js';
import { journalDefaults } from '../../src/journal/options.js';
import { RecordKind } from '../../src/journal/record.js';

const kib = 1024;
const mib = 1024 * kib;
const quick = process.argv.includes('--quick');
const rounds = quick ? 10 : 40;
const rawFileBytes = 64 * mib;
const groupSizes = [4 * kib, 64 * kib, mib];
/** Long enough that the processor's caches and the compiler have settled. */
const commitsPerSlice: Record<number, number> = { [4 * kib]: 200, [64 * kib]: 100, [mib]: 32 };
/** Of a Native block, about: what fills a segment first, rows or bytes, depends on it. */
const bytesPerPoint = 50;
const startMib = quick ? 128 : 1024;

interface Figures {
  commitsPerSecond: number;
  mibPerSecond: number;
  cpuMicros: number;
}

/** Journal ÷ raw: median, first and third quartile of the rounds. */
type Ratio = [median: number, low: number, high: number];

interface GroupResult {
  groupBytes: number;
  raw: Figures;
  rawDsync: Figures;
  /** With the next group waiting. */
  journal: Figures;
  journalAlone: Figures;
  /** Of the first: 1 when a group was what it should be. */
  appendsPerCommit: number;
  ratio: Ratio;
  ratioAlone: Ratio;
}

const folder = fs.mkdtempSync(join(process.env['TMPDIR'] ?? tmpdir(), 'sluice-journal-bench-'));
try {
  const result = {
    groups: await groupRounds(),
    inFlight: await eightInFlight(),
    bytesPerBlockByte: await writtenBytes(),
    crc32cMibPerSecond: await checksums(),
    start: await startTime(),
  };
  print(result);
  if (process.argv.includes('--json')) console.log(JSON.stringify(result));
} finally {
  fs.rmSync(folder, { recursive: true });
}

// ── one group at a time ───────────────────────────────────────────────────────────────────────
async function groupRounds(): Promise<GroupResult[]> {
  const raw = preallocated('raw', 0);
  const dsync = preallocated('dsync', fs.constants.O_DSYNC);
  const journal = await openJournal('groups');
  const results: GroupResult[] = [];
  for (const groupBytes of groupSizes) {
    const commits = commitsPerSlice[groupBytes] ?? 100;
    const loops = {
      raw: rawWriter(raw, groupBytes, true),
      rawDsync: rawWriter(dsync, groupBytes, false),
      journal: twoInFlight(journal, groupBytes),
      journalAlone: appender(journal, groupBytes),
    };
    const names = Object.keys(loops) as (keyof typeof loops)[];
    const all = { raw: [], rawDsync: [], journal: [], journalAlone: [] } as Record<
      keyof typeof loops,
      Figures[]
    >;
    let groups = 0;
    for (let round = -2; round < rounds; round += 1) {
      for (const name of names) {
        const before = journal.counters().commits;
        const figures = await measure(commits, groupBytes, loops[name]);
        if (round >= 0) all[name].push(figures); // the first rounds warm up
        if (round >= 0 && name === 'journal') groups += journal.counters().commits - before;
        await release(journal);
      }
    }
    results.push({
      groupBytes,
      raw: middleFigures(all.raw),
      rawDsync: middleFigures(all.rawDsync),
      journal: middleFigures(all.journal),
      journalAlone: middleFigures(all.journalAlone),
      appendsPerCommit: (commits * rounds) / groups,
      ratio: ratioOf(all.journal, all.raw),
      ratioAlone: ratioOf(all.journalAlone, all.raw),
    });
  }
  await journal.close();
  fs.closeSync(raw);
  fs.closeSync(dsync);
  return results;
}

function ratioOf(ours: readonly Figures[], theirs: readonly Figures[]): Ratio {
  const ratios = ours
    .map((figures, round) => figures.commitsPerSecond / (theirs[round]?.commitsPerSecond ?? 0))
    .sort((a, b) => a - b);
  const at = (share: number): number => ratios[Math.floor(ratios.length * share)] ?? Number.NaN;
  return [at(0.5), at(0.25), at(0.75)];
}

/**
 * Each call waits until one append is durable, while the next is being written already: two lanes,
 * of which the second starts when the first is being written, so that a group stays one append.
 */
function twoInFlight(journal: Journal, bytes: number): () => Promise<void> {
  const append = appender(journal, bytes);
  let before: Promise<void> | undefined;
  return async () => {
    if (before === undefined) {
      before = append();
      await setImmediate();
    }
    const next = append();
    await before;
    before = next;
  };
}

function preallocated(name: string, flag: number): number {
  const path = join(folder, name);
  const zeros = Buffer.alloc(mib);
  const filling = fs.openSync(path, 'w');
  for (let at = 0; at < rawFileBytes; at += mib) fs.writeSync(filling, zeros, 0, mib, at);
  fs.fsyncSync(filling);
  fs.closeSync(filling);
  return fs.openSync(path, fs.constants.O_RDWR | flag);
}

function rawWriter(descriptor: number, bytes: number, sync: boolean): () => Promise<void> {
  const buffers = [Buffer.alloc(bytes, 'raw')];
  let at = 0;
  const writeOnce = (): Promise<void> =>
    new Promise((resolve, reject) => {
      fs.writev(descriptor, buffers, at, (error) => (error ? reject(error) : resolve()));
      at = (at + bytes) % (rawFileBytes - bytes);
    });
  const syncOnce = (): Promise<void> =>
    new Promise((resolve, reject) => {
      fs.fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
    });
  if (!sync) return writeOnce;
  return async () => {
    await writeOnce();
    await syncOnce();
  };
}

async function measure(
  commits: number,
  bytes: number,
  commit: () => Promise<void>,
): Promise<Figures> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (let count = 0; count < commits; count += 1) await commit();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    commitsPerSecond: commits / seconds,
    mibPerSecond: (commits * bytes) / mib / seconds,
    cpuMicros: (user + system) / commits,
  };
}

// ── the journal ───────────────────────────────────────────────────────────────────────────────
function openJournal(name: string): Promise<Journal> {
  const options = { ...journalDefaults(join(folder, name)), freeSegmentsMax: 4 };
  return Journal.open(systemClock(), silentLogger, createMetrics(), options);
}

function appender(journal: Journal, bytes: number): () => Promise<void> {
  const block = Buffer.alloc(bytes, 'block');
  const rows = Math.ceil(bytes / bytesPerPoint);
  const records = [{ kind: RecordKind.telemetry, rows, bytes: block, segmentNameAt: 64 }];
  return () =>
    new Promise((resolve, reject) => {
      journal.append(records, (error) => (error === undefined ? resolve() : reject(error)));
    });
}

/** What is full is "shipped", so that its files are free for the next round. */
async function release(journal: Journal): Promise<void> {
  while (journal.counters().segmentsWaiting > 0) {
    const segment = await journal.nextClosed();
    if (segment !== undefined) await journal.release(segment);
  }
}

async function eightInFlight(): Promise<(Figures & { groupBytes: number; appends: number })[]> {
  const journal = await openJournal('in-flight');
  const results = [];
  for (const bytes of [4 * kib, 64 * kib, 256 * kib]) {
    const appends = Math.min(4_000, Math.floor((80 * mib) / bytes / 8));
    const lanes = Array.from({ length: 8 }, () => appender(journal, bytes));
    for (let count = 0; count < 100; count += 1) await Promise.all(lanes.map((lane) => lane()));
    await release(journal);
    const before = journal.counters().commits;
    const figures = await measure(appends, bytes * lanes.length, async () => {
      await Promise.all(lanes.map((lane) => lane()));
    });
    const commits = journal.counters().commits - before;
    const all = appends * lanes.length;
    results.push({
      groupBytes: bytes,
      appends: all / commits,
      commitsPerSecond: (figures.commitsPerSecond * commits) / appends,
      mibPerSecond: figures.mibPerSecond,
      cpuMicros: (figures.cpuMicros * appends) / commits,
    });
    await release(journal);
  }
  await journal.close();
  return results;
}

/** Bytes written per byte of block, at batches of some 600 points (32 KiB). */
async function writtenBytes(): Promise<number> {
  const journal = await openJournal('bytes');
  const append = appender(journal, 32 * kib);
  for (let count = 0; count < 200; count += 1) await append();
  const { bytesWritten, payloadBytesWritten } = journal.counters();
  await journal.close();
  return bytesWritten / payloadBytesWritten;
}

// ── the rest ──────────────────────────────────────────────────────────────────────────────────
async function checksums(): Promise<Record<string, number>> {
  const bench = new Bench({ time: quick ? 100 : 400 });
  const implementations = { tables: tableCrc32c(), WebAssembly: simdCrc32c() };
  for (const [name, crc32c] of Object.entries(implementations)) {
    if (crc32c === undefined) continue;
    for (const size of groupSizes) {
      const bytes = Buffer.alloc(size, 'some text that is not all the same');
      bench.add(`${name} ${size / kib} KiB`, () => void crc32c(1, bytes, 0, size));
    }
  }
  await bench.run();
  const results: Record<string, number> = {};
  for (const task of bench.tasks) {
    const size = Number(/ (\d+) KiB/.exec(task.name)?.[1]) * kib;
    const { result } = task;
    if (result.state === 'completed') {
      results[task.name] = (size / mib) * (1000 / result.latency.p50);
    }
  }
  return results;
}

/** How long a journal that was killed with this much in it takes to be ready, and to be read. */
async function startTime(): Promise<Record<string, number>> {
  const directory = join(folder, 'start');
  const writing = await openJournal('start');
  const append = appender(writing, mib);
  for (let count = 0; count < startMib - 16; count += 1) await append();
  // What a kill leaves: the last segment is still open.
  fs.cpSync(directory, `${directory}-killed`, { recursive: true });
  await writing.close();
  fs.rmSync(directory, { recursive: true });
  const started = performance.now();
  const journal = await openJournal('start-killed');
  const readyMs = performance.now() - started;
  const reading = performance.now();
  let bytes = 0;
  while (journal.counters().segmentsWaiting > 0) {
    const segment = await journal.nextClosed();
    if (segment === undefined) break;
    for await (const piece of segment.payload(RecordKind.telemetry)) bytes += piece.byteLength;
    await journal.release(segment);
  }
  const seconds = (performance.now() - reading) / 1000;
  await journal.close();
  return { mib: startMib, readyMs, checkAndReadMibPerSecond: bytes / mib / seconds };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function middleFigures(all: readonly Figures[]): Figures {
  return {
    commitsPerSecond: median(all.map((figures) => figures.commitsPerSecond)),
    mibPerSecond: median(all.map((figures) => figures.mibPerSecond)),
    cpuMicros: median(all.map((figures) => figures.cpuMicros)),
  };
}

interface Result {
  groups: GroupResult[];
  inFlight: (Figures & { groupBytes: number; appends: number })[];
  bytesPerBlockByte: number;
  crc32cMibPerSecond: Record<string, number>;
  start: Record<string, number>;
}

function print(result: Result): void {
  const show = ({ commitsPerSecond, mibPerSecond, cpuMicros }: Figures): string =>
    `${Math.round(commitsPerSecond)} commits/s ${Math.round(mibPerSecond)} MiB/s ` +
    `${Math.round(cpuMicros)} µs CPU`;
  const showRatio = ([middle, low, high]: Ratio): string =>
    `${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  for (const group of result.groups) {
    const appends = group.appendsPerCommit.toFixed(2);
    console.log(
      `groups of ${group.groupBytes / kib} KiB, ${rounds} rounds, ${appends} appends each`,
    );
    console.log(`  raw writev + fdatasync       ${show(group.raw)}`);
    console.log(`  raw O_DSYNC                  ${show(group.rawDsync)}`);
    console.log(`  journal, next group waiting  ${show(group.journal)}`);
    console.log(`  journal, one at a time       ${show(group.journalAlone)}`);
    console.log(
      `  journal ÷ raw                ${showRatio(group.ratio)}, ` +
        `one at a time ${showRatio(group.ratioAlone)}`,
    );
  }
  for (const { groupBytes, appends, ...figures } of result.inFlight) {
    console.log(
      `eight appends of ${groupBytes / kib} KiB in flight: ${show(figures)}, ` +
        `${appends.toFixed(1)} appends a commit`,
    );
  }
  console.log(`bytes written per byte of block: ${result.bytesPerBlockByte.toFixed(4)}`);
  for (const [name, speed] of Object.entries(result.crc32cMibPerSecond)) {
    console.log(`CRC-32C ${name}: ${Math.round(speed)} MiB/s`);
  }
  const { mib: size = 0, readyMs = 0, checkAndReadMibPerSecond = 0 } = result.start;
  console.log(
    `start with ${size} MiB after a kill: ready in ${Math.round(readyMs)} ms, ` +
      `checked and read at ${Math.round(checkAndReadMibPerSecond)} MiB/s`,
  );
}
