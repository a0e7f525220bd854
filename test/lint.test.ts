import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../src/core/package-root.js';

function check(program: string, ...options: string[]): void {
  const script = join(packageRoot(), 'node_modules', program);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...options], {
    cwd: packageRoot(),
    encoding: 'utf8',
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

test('Biome finds nothing to say', () => {
  check('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.');
});

test('knip finds no unused file, export or dependency', () => {
  check('knip/bin/knip.js', '--no-progress');
});
