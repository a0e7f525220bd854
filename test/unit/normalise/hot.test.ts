import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

test('messages allocate next to nothing, and the worker’s objects keep one shape', async (t) => {
  const probe = fileURLToPath(new URL('hot-probe.js', import.meta.url));
  const flags = ['--expose-gc', '--allow-natives-syntax'];
  const young = ['--min-semi-space-size=256', '--max-semi-space-size=256'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...young, probe]);
  const found = JSON.parse(stdout) as { bytesPerMessage: number; oneShape: boolean };
  t.diagnostic(`${found.bytesPerMessage.toFixed(2)} bytes a message`);
  // Per batch: the views of its buffers and a result. Per message: nothing.
  assert.ok(found.bytesPerMessage < 8, `${found.bytesPerMessage} bytes a message`);
  assert.equal(found.oneShape, true);
});
