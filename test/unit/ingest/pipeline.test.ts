import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../src/core/clock.js';
import { NodeError } from '../../../src/core/errors.js';
import { deviceWords, newDeviceId } from '../../../src/core/ids.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createMetrics } from '../../../src/core/metrics.js';
import type { Origin } from '../../../src/core/origin.js';
import { Outcome } from '../../../src/core/outcome.js';
import { Batch } from '../../../src/ingest/batch.js';
import { Pipeline } from '../../../src/ingest/pipeline.js';
import type { NormalisePool } from '../../../src/ingest/pool.js';
import type { Journal } from '../../../src/journal/journal.js';
import { MessageKind, Protocol } from '../../../src/normalise/batch-layout.js';
import type { NormaliseResult, NormaliseTask } from '../../../src/normalise/result.js';

/** A pipeline whose worker and journal answer when the test says so. */
function setUp() {
  const answers: {
    finish: (points: number) => void;
    die: () => void;
  }[] = [];
  const appends: { rows: number; durable: (error?: NodeError) => void }[] = [];
  const settled: string[] = [];
  const recycled: Batch[] = [];
  const pool = {
    run: (task: NormaliseTask) =>
      new Promise<NormaliseResult>((resolve, reject) => {
        answers.push({
          finish: (points) => resolve(resultOf(task, points)),
          die: () => reject(new NodeError('SLUICE_WORKER_FAILED', 'gone')),
        });
      }),
  };
  const journal = {
    append: (records: { rows: number }[], durable: (error?: NodeError) => void) => {
      appends.push({ rows: records.reduce((sum, record) => sum + record.rows, 0), durable });
    },
  };
  const clock: Clock = { now: () => 0, monotonic: () => 0 };
  const pipeline = new Pipeline(
    clock,
    silentLogger,
    createMetrics(),
    pool as unknown as NormalisePool,
    journal as unknown as Journal,
  );
  pipeline.connect(
    (batch) => recycled.push(batch),
    () => {},
  );
  const origin: Origin = {
    settle: (ref, outcome) => settled.push(`${ref}:${outcome}`),
  };
  const take = (ref: number): Batch => {
    const batch = new Batch(1024);
    const device = { words: deviceWords(newDeviceId()), normaliseFlags: 0 };
    const { telemetryJson } = MessageKind;
    batch.addRow(device, telemetryJson, Protocol.mqtt, 0, 0, 0, 0, 0, origin, ref);
    pipeline.take(batch);
    return batch;
  };
  return { answers, appends, settled, recycled, pipeline, take };
}

function resultOf(task: NormaliseTask, points: number): NormaliseResult {
  const none = { start: 0, bytes: 0, rows: 0, segmentNameAt: -1 };
  return {
    input: task.input,
    output: task.output,
    telemetry: points > 0 ? { start: 0, bytes: 8, rows: points, segmentNameAt: 0 } : none,
    attributes: none,
    rejected: none,
    messagesAccepted: 1,
    messagesRejected: 0,
    rejectedDropped: 0,
    integersWidened: 0,
    duplicateKeys: 0,
  } as NormaliseResult;
}

/** Everything that waits on resolved promises has run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('batches enter the journal in the order they were taken, whoever finishes first', async () => {
  const { answers, appends, settled, take } = setUp();
  take(1);
  take(2);
  answers[1]?.finish(20);
  await turn();
  assert.equal(appends.length, 0, 'the first one is still with its worker');
  answers[0]?.finish(10);
  await turn();
  assert.deepEqual(
    appends.map(({ rows }) => rows),
    [10, 20],
  );
  assert.deepEqual(settled, [], 'nothing is settled before it is durable');
  appends[0]?.durable();
  appends[1]?.durable();
  assert.deepEqual(settled, ['1:0', '2:0']);
});

test('a worker that died, a journal that failed or is full: no acknowledgement', async () => {
  const { answers, appends, settled, recycled, pipeline, take } = setUp();
  take(1);
  take(2);
  take(3);
  answers[0]?.die();
  answers[1]?.finish(1);
  answers[2]?.finish(1);
  await turn();
  appends[0]?.durable(new NodeError('SLUICE_JOURNAL_FAILED', 'no disk'));
  appends[1]?.durable(new NodeError('SLUICE_JOURNAL_BUSY', 'too much'));
  const { journalUnavailable, overload } = Outcome;
  assert.deepEqual(settled, [
    `1:${journalUnavailable}`,
    `2:${journalUnavailable}`,
    `3:${overload}`,
  ]);
  assert.equal(recycled.length, 3);
  assert.equal(pipeline.inFlight, 0);
  await pipeline.idle();
});

test('a batch that stores nothing is settled in its turn', async () => {
  const { answers, appends, settled, take } = setUp();
  take(1);
  take(2);
  answers[1]?.finish(0);
  answers[0]?.finish(5);
  await turn();
  assert.deepEqual(
    appends.map(({ rows }) => rows),
    [5, 0],
  );
  assert.deepEqual(settled, []);
  for (const { durable } of appends) durable();
  assert.deepEqual(settled, ['1:0', '2:0']);
});
