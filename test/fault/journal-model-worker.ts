/** Runs a share of the histories of journal-model.test.ts: test hooks on promises cost it 2/3. */
import { parentPort, workerData } from 'node:worker_threads';
import { createMetrics } from '../../src/core/metrics.js';
import { journalDefaults } from '../../src/journal/options.js';
import { Random } from '../support/random.js';
import { History } from './journal-history.js';

export interface ModelShare {
  readonly seed: number;
  readonly count: number;
}

export interface ModelResult {
  readonly acknowledged: number;
  /** What to tell about the history that failed; undefined when all agree with the model. */
  readonly failure: string | undefined;
}

const { seed, count } = workerData as ModelShare;
parentPort?.postMessage(await runHistories());

async function runHistories(): Promise<ModelResult> {
  const metrics = createMetrics();
  const options = {
    ...journalDefaults('/journal'),
    segmentBytes: 4096 + 8 * 1024,
    segmentRowsMax: 40,
    bytesMax: 192 * 1024,
    reserveFraction: 0.01,
    commitBytesMax: 6 * 1024,
    queueBytesMax: 32 * 1024,
  };
  let acknowledged = 0;
  for (let number = seed; number < seed + count; number += 1) {
    const history = new History(new Random(number), metrics, options);
    try {
      await history.run();
    } catch (thrown) {
      const repeat = `SLUICE_TEST_SEED=${number} SLUICE_TEST_HISTORIES=1`;
      const cause = thrown instanceof Error ? thrown.stack : String(thrown);
      return { acknowledged, failure: `${repeat}\n${history.steps.join('\n')}\n${cause}` };
    }
    acknowledged += history.acknowledged;
  }
  return { acknowledged, failure: undefined };
}
