/**
 * The normaliser beside `JSON.parse`, one thread, on the same payloads in the same batch buffer:
 *
 *     JSON.parse   latin1Slice and JSON.parse of every message; nothing is done with the objects
 *     normalise    everything a worker does: scan, types, columns, Native block, outcomes
 *
 * Short slices of both alternate; the ratio is the median over the rounds, beside its quartiles.
 * Like a worker, the program has transferred a buffer before: V8 then checks on each access whether
 * a typed array still has its memory, which costs us more than `JSON.parse`.
 *
 *     node dist/bench/micro/normalise.js [--quick] [--json]
 */
import { Bench } from 'tinybench';
import { limits } from '../../src/core/limits.js';
import { allocateBatch, BatchHead, BatchView } from '../../src/normalise/batch-layout.js';
import { Normaliser } from '../../src/normalise/normalise.js';
import { median } from '../measure/statistics.js';
import { type PayloadFamily, payloadFamilies } from './payloads.js';

const quick = process.argv.includes('--quick');
const rounds = quick ? 5 : 25;
const sliceMs = quick ? 20 : 60;
const arrival = 1_700_000_000_000;
const devices = 1000;

interface Figures {
  name: string;
  bytesPerMessage: number;
  messages: number;
  pointsPerMessage: number;
  /** Millions of messages a second, median of the rounds. */
  jsonParse: number;
  normalise: number;
  /** normalise ÷ JSON.parse: median, first and third quartile of the rounds. */
  ratio: [median: number, low: number, high: number];
}

/** `latin1Slice` is what a fast consumer would use; the types of Node do not show it. */
type SliceableBuffer = Buffer & { latin1Slice(start: number, end: number): string };

const spent = new ArrayBuffer(8);
structuredClone(spent, { transfer: [spent] });
const results: Figures[] = [];
for (const family of payloadFamilies()) results.push(await measure(family));
print(results);
if (process.argv.includes('--json')) console.log(JSON.stringify({ families: results }));

async function measure(family: PayloadFamily): Promise<Figures> {
  const { input, messages, bytes } = fill(family);
  const view = new BatchView(input);
  const base = view.arena.byteOffset;
  const buffer = Buffer.from(input) as SliceableBuffer;
  const normaliser = new Normaliser();
  let output = new ArrayBuffer(0);
  let kept: unknown;
  let points = 0;
  const parse = (): void => {
    for (let row = 0; row < messages; row += 1) {
      const start = base + (view.start[row] ?? 0);
      kept = JSON.parse(buffer.latin1Slice(start, start + (view.length[row] ?? 0)));
    }
  };
  const normalise = (): void => {
    const result = normaliser.normaliseBatch({ input, output, nowMs: arrival });
    output = result.output;
    points = result.telemetry.rows;
    if (result.messagesAccepted !== messages) throw new RangeError('every message is accepted');
  };
  await slice(parse, normalise, quick ? 100 : 400);
  const figures: { parse: number; normalise: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    figures.push(await slice(parse, normalise, sliceMs));
  }
  if (kept === undefined) throw new RangeError('JSON.parse gave something');
  const perSecond = (milliseconds: number[]): number => messages / median(milliseconds) / 1000;
  return {
    name: family.name,
    bytesPerMessage: Math.round(bytes / messages),
    messages,
    pointsPerMessage: points / messages,
    jsonParse: perSecond(figures.map((figure) => figure.parse)),
    normalise: perSecond(figures.map((figure) => figure.normalise)),
    ratio: quartiles(figures.map((figure) => figure.parse / figure.normalise)),
  };
}

/** Milliseconds a batch, the median of what fits into the slice, for both in turn. */
async function slice(
  parse: () => void,
  normalise: () => void,
  time: number,
): Promise<{ parse: number; normalise: number }> {
  const bench = new Bench({ time, iterations: 3, warmup: false, retainSamples: true });
  bench.add('parse', parse).add('normalise', normalise);
  await bench.run();
  const [first, second] = bench.tasks.map(({ result }) => {
    if (!('latency' in result)) throw new RangeError('a task of the bench failed');
    return result.latency.p50;
  });
  return { parse: first ?? Number.NaN, normalise: second ?? Number.NaN };
}

/** A batch as full as the main thread makes them. */
function fill(family: PayloadFamily): { input: ArrayBuffer; messages: number; bytes: number } {
  const input = allocateBatch(limits.batchArenaBytes);
  const view = new BatchView(input);
  let at = 0;
  let row = 0;
  for (; row < limits.batchMessagesMax; row += 1) {
    const payload = Buffer.from(family.payload());
    if (at + payload.length > limits.batchArenaBytes) break;
    view.arena.set(payload, at);
    view.start[row] = at;
    view.length[row] = payload.length;
    view.receivedAt[row] = arrival + (row >> 8);
    view.device.fill(Math.imul((row % devices) + 1, 0x9e37_79b1), row * 4, row * 4 + 4);
    at += payload.length;
  }
  view.head[BatchHead.rows] = row;
  view.head[BatchHead.arenaUsed] = at;
  return { input, messages: row, bytes: at };
}

function quartiles(values: readonly number[]): Figures['ratio'] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return [median(values), at(0.25), at(0.75)];
}

function print(figures: readonly Figures[]): void {
  const head = ['payloads', 'bytes', 'JSON.parse', 'normalise', 'points', 'ratio', 'quartiles'];
  const rows = figures.map(({ name, bytesPerMessage, jsonParse, normalise, ratio, ...rest }) => [
    name,
    String(bytesPerMessage),
    `${jsonParse.toFixed(2)} M/s`,
    `${normalise.toFixed(2)} M/s`,
    `${(normalise * rest.pointsPerMessage).toFixed(1)} M/s`,
    `${ratio[0].toFixed(2)} ×`,
    `${ratio[1].toFixed(2)} … ${ratio[2].toFixed(2)}`,
  ]);
  for (const row of [head, ...rows]) {
    console.log(row.map((cell, column) => cell.padEnd(column === 0 ? 16 : 13)).join(''));
  }
}
