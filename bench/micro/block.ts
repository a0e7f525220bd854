/**
 * The encoder of Native blocks alone: points that are scanned already, spread to columns and
 * written as one block, beside a bare copy of as many bytes.
 *
 *     node dist/bench/micro/block.js [--quick] [--json]
 */
import { Bench } from 'tinybench';
import { Sink } from '../../src/block/sink.js';
import { deviceWords, newDeviceId } from '../../src/core/ids.js';
import { allocateBatch, BatchView } from '../../src/normalise/batch-layout.js';
import { KeyDictionary } from '../../src/normalise/key-dictionary.js';
import { arrivalTime, Points } from '../../src/normalise/points.js';
import { ValueType } from '../../src/normalise/result.js';
import { TelemetryBlock } from '../../src/normalise/telemetry-block.js';

const quick = process.argv.includes('--quick');
const messages = 4096;
const arrival = 1_700_000_000_000;
const spent = new ArrayBuffer(8);
structuredClone(spent, { transfer: [spent] });

const bench = new Bench({ time: quick ? 100 : 1000, warmupTime: quick ? 50 : 300 });
const rowsOf = new Map<string, number>();
const bytesOf = new Map<string, number>();
add('3 numbers a message', 3, false, false);
add('20 numbers a message', 20, false, false);
add('3 numbers, own times', 3, true, false);
add('2 numbers, 1 text', 3, false, true);
await bench.run();

const figures = bench.tasks.map(({ name, result }) => {
  const milliseconds = 'latency' in result ? result.latency.p50 : Number.NaN;
  const rows = rowsOf.get(name) ?? Number.NaN;
  const bytes = bytesOf.get(name) ?? Number.NaN;
  return {
    name,
    millionRowsPerSecond: rows / milliseconds / 1000,
    gigabytesPerSecond: bytes / milliseconds / 1e6,
    bytesPerRow: bytes / rows,
  };
});
for (const { name, millionRowsPerSecond, gigabytesPerSecond, bytesPerRow } of figures) {
  console.log(
    `${name.padEnd(30)}${millionRowsPerSecond.toFixed(0).padStart(6)} M rows/s` +
      `${gigabytesPerSecond.toFixed(1).padStart(7)} GB/s` +
      `${bytesPerRow.toFixed(1).padStart(7)} B/row`,
  );
}
if (process.argv.includes('--json')) console.log(JSON.stringify(figures));

function add(name: string, perMessage: number, ownTimes: boolean, text: boolean): void {
  const keys = new KeyDictionary();
  const points = new Points(messages * perMessage);
  const batch = new BatchView(allocateBatch(0));
  points.reserve(messages * perMessage, messages * 32);
  for (let key = 0; key < perMessage; key += 1) {
    const bytes = Buffer.from(`some_key_${key}`);
    keys.enter(keys.identify(bytes, 0, bytes.length));
  }
  for (let row = 0; row < messages; row += 1) {
    batch.receivedAt[row] = arrival + (row >> 8);
    batch.device.set(deviceWords(newDeviceId()), row * 4);
    for (let key = 0; key < perMessage; key += 1) {
      if (text && key === 0) {
        const value = Buffer.from(`text of message ${row}`);
        points.text.set(value, points.textEnd + 1);
        points.endText(points.textEnd + 1 + value.length);
        points.addText(key, ValueType.string);
      } else points.addNumber(key, ValueType.double, row * 0.01 + key);
    }
    points.closeRun(row, ownTimes ? arrival - row : arrivalTime);
  }
  const block = new TelemetryBlock();
  const out = new Uint8Array(block.prepare(points, keys));
  const sink = new Sink(out, 0);
  block.write(sink, points, keys, batch);
  const bytes = sink.at;
  bench.add(name, () => {
    block.prepare(points, keys);
    sink.at = 0;
    block.write(sink, points, keys, batch);
  });
  const source = new Uint8Array(bytes);
  const kind = `${ownTimes ? ' own' : ''}${text ? ' text' : ''}`;
  const copy = `  copy of as many bytes, ${perMessage}${kind}`;
  bench.add(copy, () => out.set(source));
  for (const task of [name, copy]) {
    rowsOf.set(task, points.count);
    bytesOf.set(task, bytes);
  }
}
