import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionsOf } from '../../tidy/functions.js';
import { createSource } from '../../tidy/sources.js';

/** `found` are first line and length of each function. */
function check(text: string, ...found: [number, number][]): void {
  const spans = functionsOf(createSource('a.ts', text));
  assert.deepEqual(
    spans.map(({ place, lines }) => [Number(place.split(':')[1]), lines]),
    found,
  );
}

test('functions of every form are measured from head to closing brace', () => {
  check('function a(): void {\n  b();\n}\n', [1, 3]);
  check('export async function a(\n  b: B,\n): Promise<C> {\n  d();\n}\n', [1, 5]);
  check('const a = (b: B): C => {\n  d();\n};\n', [1, 3]);
  check('a(async () => {\n  b();\n});\n', [1, 3]);
  check(
    'class A {\n  constructor(b: B) {\n    c();\n  }\n\n  get d(): E {\n    f();\n  }\n}\n',
    [2, 3],
    [6, 3],
  );
  check('const a = {\n  b(c): void {\n    d();\n  },\n};\n', [2, 3]);
  check('function a() {\n  b.map((c) => {\n    d();\n  });\n}\n', [1, 5], [2, 3]);
});

test('control statements, types and groups of tests are no functions', () => {
  check('if (a) {\n  b();\n} else if (c) {\n  d();\n}\n');
  check('for (const a of b) {\n  c();\n}\nswitch (a) {\n}\nwhile (a()) {\n}\n');
  check('try {\n} catch (thrown) {\n}\n');
  check('interface A {\n  b(): void;\n}\nconst a = {\n};\n');
  check("describe('a', () => {\n});\n");
});
