import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.js';
import { limits } from '../../src/core/limits.js';
import { createLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { MessageRates } from '../../src/device/message-rate.js';
import { HttpListener } from '../../src/http/listener.js';
import { httpDefaults } from '../../src/http/options.js';
import { Batcher } from '../../src/ingest/batcher.js';
import { Pipeline } from '../../src/ingest/pipeline.js';
import { NormalisePool } from '../../src/ingest/pool.js';
import { Journal } from '../../src/journal/journal.js';
import { journalDefaults } from '../../src/journal/options.js';
import { Tokens } from './http.js';

/**
 * Run with `fork`: everything of a node from the HTTP socket to the journal, on a free port and
 * without ClickHouse. Devices have the tokens `T0` to `T<n>`, n + 1 being the first argument.
 *
 * It sends `{port}` when it listens, its `IngestState` at each message `state`, and ends at `stop`.
 */
export interface IngestState {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly bodiesBytes: number;
  readonly batchesInFlight: number;
  /** Messages that reached a batch. */
  readonly received: number;
}

const directory = mkdtempSync(join(tmpdir(), 'sluice-http-'));
const clock = systemClock();
const logger = createLogger('error', clock);
const metrics = createMetrics();
const tokens = new Tokens();
for (let index = 0; index < Number(process.argv[2]); index++) tokens.add(`T${index}`);
const journal = await Journal.open(clock, logger, metrics, journalDefaults(directory));
const pool = new NormalisePool(1);
const pipeline = new Pipeline(clock, logger, metrics, pool, journal);
const pacing = { groupDelayMs: 1, eagerBytes: limits.batchEagerBytes, inFlightMax: 2 };
const arenaBytes = limits.batchArenaBytes + 2048;
const batcher = new Batcher(clock, arenaBytes, pacing, pipeline);
pipeline.connect(
  (batch) => batcher.recycle(batch),
  () => {},
);
const options = { ...httpDefaults, host: '127.0.0.1', port: Number(process.argv[3] ?? 0) };
const rates = new MessageRates(0, 0);
const listener = new HttpListener(clock, logger, metrics, options, batcher, tokens, rates);

process.on('message', (message) => {
  if (message === 'state') void state().then((value) => process.send?.(value));
  if (message === 'stop') void stop();
});
const { port } = await listener.listen();
process.send?.({ port });

async function state(): Promise<IngestState> {
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  let received = 0;
  for (const { value } of (await metrics.messagesReceived.get()).values) received += value;
  return {
    rssBytes: rss,
    heapBytes: heapUsed + arrayBuffers,
    bodiesBytes: listener.bodiesBytes,
    batchesInFlight: pipeline.inFlight,
    received,
  };
}

async function stop(): Promise<void> {
  await listener.stop(5_000);
  batcher.drain();
  await pipeline.idle();
  await pool.close();
  await journal.close();
  rmSync(directory, { recursive: true });
  process.disconnect();
}
