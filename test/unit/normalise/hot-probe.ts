/**
 * Measures what the normaliser allocates and whether its objects keep one shape; run by hot.test.ts
 * with `--expose-gc --allow-natives-syntax` and a young generation so large that nothing is
 * collected on the way. Prints one line of JSON.
 */
import { Normaliser } from '../../../src/normalise/normalise.js';
import { makeBatch, testArrival } from '../../support/normalise.js';

const messagesPerBatch = 4096;
const batches = 100;

/** Numbers, texts, envelopes, arrays, nested text, duplicates. */
const payloads = [
  '{"temperature":25.31,"humidity":64.2,"n":123}',
  '{"ts":1700000000000,"values":{"temperature":-0.5,"on":true,"gone":null}}',
  '[{"a":1,"a":2},{"s":"text é \\u0041","j":{"x": [1, 2]}}]',
  '{"temperature":20.123456789012345,"uptime":123456789012,"rssi":-71}',
];
const messages = Array.from({ length: messagesPerBatch }, (_, row) => ({
  payload: payloads[row % payloads.length]!,
  receivedAt: testArrival + (row >> 6),
}));
const input = makeBatch(messages);
const normaliser = new Normaliser();
let output = new ArrayBuffer(0);

function run(): void {
  const result = normaliser.normaliseBatch({ input, output, nowMs: testArrival });
  if (result.messagesAccepted !== messagesPerBatch) throw new RangeError();
  output = result.output;
}

for (let round = 0; round < 200; round += 1) run();
const collect = (globalThis as { gc?: () => void }).gc;
collect?.();
const before = process.memoryUsage().heapUsed;
for (let round = 0; round < batches; round += 1) run();
const allocated = process.memoryUsage().heapUsed - before;

const sameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean;
const other = new Normaliser();
other.normaliseBatch({ input, output, nowMs: testArrival });
const oneShape =
  sameMap(normaliser, other) &&
  sameMap(normaliser.scan, other.scan) &&
  sameMap(normaliser.scan.points, other.scan.points) &&
  sameMap(normaliser.scan.keys, other.scan.keys);
const bytesPerMessage = allocated / (batches * messagesPerBatch);
process.stdout.write(`${JSON.stringify({ bytesPerMessage, oneShape })}\n`);
