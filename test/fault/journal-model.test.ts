import assert from 'node:assert/strict';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Random } from '../support/random.js';
import type { ModelResult, ModelShare } from './journal-model-worker.js';

const histories = Number(process.env['SLUICE_TEST_HISTORIES'] ?? 10_000);

/**
 * Random appends, shipments, losses of power with torn, lost and reordered writes, kills, restarts,
 * failing operations and full disks. Whatever was acknowledged is stored once and bit by bit, in
 * segments that read the same each time and whose names never come again.
 */
test(`journal: ${histories} random histories agree with the model`, async (t) => {
  const { seed } = new Random();
  t.diagnostic(`SLUICE_TEST_SEED=${seed}`);
  const workers = Math.min(histories, availableParallelism());
  const shares = Array.from({ length: workers }, (_, index): ModelShare => {
    const from = Math.floor((histories * index) / workers);
    const to = Math.floor((histories * (index + 1)) / workers);
    return { seed: seed + from, count: to - from };
  });
  const results = await Promise.all(shares.map(runShare));
  for (const { failure } of results) assert.equal(failure, undefined, failure);
  const acknowledged = results.reduce((sum, result) => sum + result.acknowledged, 0);
  t.diagnostic(`${acknowledged} acknowledged appends`);
  assert.ok(acknowledged > histories, 'the histories do something');
});

async function runShare(share: ModelShare): Promise<ModelResult> {
  const worker = new Worker(new URL('./journal-model-worker.js', import.meta.url), {
    workerData: share,
  });
  const [result] = (await once(worker, 'message')) as [ModelResult];
  return result;
}
