/**
 * `npm test`: every test file, on the compiled code.
 *
 *     node dist/test/run.js [part of a path]…
 *
 * Quick files run two at a time; files that start whole nodes, kill them or load them run alone
 * afterwards. The last line is `N passed, N failed`, the exit code is 0 when none failed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../src/core/package-root.js';
import { debianPackages, ensurePackages } from './support/debian-packages.js';

const fileDeadlineMs = 15 * 60_000;
const alone = /^(?:e2e|fault|interop)\//;
const compiled = fileURLToPath(new URL('.', import.meta.url));
const startedAt = performance.now();

/** The lines that end a run of node's test runner, summed over our two runs. */
const totals = new Map<string, number>();
const totalForm = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

type TestEvent = { type: string; data: { nesting?: number; message?: string } };

const selected = selectFiles(process.argv.slice(2));
const leftOut = leaveOut(selected);
const files = selected.filter((file) => !leftOut.includes(file));
await report(files);

const failed = (totals.get('fail') ?? 0) + (totals.get('cancelled') ?? 0);
const unrun = process.env['CI'] === 'true' ? leftOut.length : 0;
if (leftOut.length > 0) console.log(`left out: ${leftOut.join(', ')}`);
console.log(`${files.length} files in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
console.log(`${totals.get('pass') ?? 0} passed, ${failed + unrun} failed`);
process.exitCode = failed + unrun > 0 || files.length === 0 ? 1 : 0;

/** Test files as `unit/config/load.test.js`; what is compiled without a source is stale. */
function selectFiles(filters: readonly string[]): string[] {
  return readdirSync(join(packageRoot(), 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replace(/\.ts$/, '.js'))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .sort();
}

/** The files whose third-party programs are not on this machine and cannot be installed. */
function leaveOut(names: readonly string[]): string[] {
  const texts = new Map(names.map((name) => [name, readFileSync(join(compiled, name), 'utf8')]));
  const wanted = debianPackages.filter(({ usedBy }) =>
    [...texts.values()].some((text) => usedBy.test(text)),
  );
  const missing = ensurePackages(wanted);
  for (const { name } of missing) console.log(`missing: ${name} (apt-get install ${name})`);
  return names.filter((name) => missing.some(({ usedBy }) => usedBy.test(texts.get(name) ?? '')));
}

async function report(names: readonly string[]): Promise<void> {
  const output = Readable.from(events(names)).pipe(new spec());
  for await (const text of output) process.stdout.write(text);
}

async function* events(names: readonly string[]): AsyncGenerator<TestEvent> {
  const groups = [
    { names: names.filter((name) => !alone.test(name)), concurrency: availableParallelism() },
    { names: names.filter((name) => alone.test(name)), concurrency: 1 },
  ];
  for (const { names: group, concurrency } of groups) {
    if (group.length === 0) continue;
    const paths = group.map((name) => join(compiled, name));
    const stream = run({ files: paths, concurrency, timeout: fileDeadlineMs });
    for await (const event of stream as AsyncIterable<TestEvent>) {
      if (!addTotal(event)) yield event;
    }
  }
  for (const [name, total] of totals) {
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${total}` } };
  }
}

function addTotal({ type, data }: TestEvent): boolean {
  if (type !== 'test:diagnostic' || data.nesting !== 0) return false;
  const [, name, count] = totalForm.exec(data.message ?? '') ?? [];
  if (name === undefined) return false;
  totals.set(name, (totals.get(name) ?? 0) + Number(count));
  return true;
}
