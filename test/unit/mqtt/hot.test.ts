import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

test('a million messages allocate next to nothing, and connections have one shape', async (t) => {
  const probe = fileURLToPath(new URL('hot-probe.js', import.meta.url));
  const flags = ['--expose-gc', '--allow-natives-syntax', '--max-semi-space-size=512'];
  const young = '--min-semi-space-size=512';
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, young, probe]);
  const found = JSON.parse(stdout) as { bytesPerMessage: number; oneShape: boolean };
  t.diagnostic(`${found.bytesPerMessage.toFixed(2)} bytes a message`);
  // Per read of 800 messages: two views and a few boxed numbers.
  assert.ok(found.bytesPerMessage < 2, `${found.bytesPerMessage} bytes a message`);
  assert.equal(found.oneShape, true);
});
