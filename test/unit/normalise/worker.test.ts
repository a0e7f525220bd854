import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NormalisePool } from '../../../src/ingest/pool.js';
import { BatchView } from '../../../src/normalise/batch-layout.js';
import { makeBatch, pointsOf, testArrival } from '../../support/normalise.js';

test('a worker thread takes both buffers and gives both back', async () => {
  const pool = new NormalisePool(1);
  try {
    for (let round = 0; round < 3; round += 1) {
      const input = makeBatch([{ payload: `{"a":${round}}` }, { payload: '!' }]);
      const bytes = input.byteLength;
      const output = new ArrayBuffer(1024);
      const pending = pool.run({ input, output, nowMs: testArrival });
      assert.deepEqual([input.byteLength, output.byteLength], [0, 0], 'handed over, not copied');
      const result = await pending;
      assert.equal(result.input.byteLength, bytes);
      assert.ok(result.output instanceof ArrayBuffer);
      assert.deepEqual([...new BatchView(result.input).outcome.subarray(0, 2)], [0, 1]);
      assert.deepEqual(
        pointsOf(result).map(({ num }) => num),
        [round],
      );
      assert.equal(result.rejected.rows, 1);
    }
  } finally {
    await pool.close();
  }
});
