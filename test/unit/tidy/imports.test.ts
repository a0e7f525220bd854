import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cyclesOf, importsOf } from '../../tidy/imports.js';
import { createSource } from '../../tidy/sources.js';

function check(line: string, ...targets: string[]): void {
  const imports = importsOf(createSource('src/mqtt/scan.ts', line));
  assert.deepEqual(
    imports.map(({ to }) => to),
    targets,
  );
}

test('imports of every form are found', () => {
  check("import { a } from './b.js';", 'src/mqtt/b.ts');
  check("import type { A } from '../core/a.js';", 'src/core/a.ts');
  check("import a, { b } from 'yaml';", 'yaml');
  check("import {\n  a,\n  b,\n} from '@clickhouse/client/dist/x.js';", '@clickhouse/client');
  check("import './b.js';", 'src/mqtt/b.ts');
  check("import * as fs from 'node:fs';", 'node:fs');
  check("export { a } from './b.js';", 'src/mqtt/b.ts');
  check("const a = await import('../a.js');", 'src/a.ts');
  check("let a: import('./b.js').B;", 'src/mqtt/b.ts');
  check("require('chdb');", 'chdb');
  check(
    "import { a } from './a.js';\nimport { b } from './b.js';",
    'src/mqtt/a.ts',
    'src/mqtt/b.ts',
  );
});

test('comments and strings import nothing', () => {
  check("// import { a } from './b.js';");
  check(`const a = "import { a } from './b.js'";`);
  check("export const from = 'a';");
});

test('cycles are found, chains and diamonds are none', () => {
  const edges = (...pairs: string[]) =>
    pairs.map((pair) => ({ place: '', from: pair.charAt(0), to: pair.charAt(1) }));
  assert.deepEqual(cyclesOf(edges('ab', 'bc', 'ac', 'cd', 'bd')), []);
  assert.deepEqual(cyclesOf(edges('ab', 'bc', 'cb')), ['b → c → b']);
  assert.deepEqual(cyclesOf(edges('aa')), ['a → a']);
});
