import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCodes } from '../src/core/errors.js';
import { limits } from '../src/core/limits.js';
import { createMetrics } from '../src/core/metrics.js';
import { packageRoot } from '../src/core/package-root.js';
import { functionsOf } from './tidy/functions.js';
import { cyclesOf, type Import, importsOf } from './tidy/imports.js';
import { readmeTables } from './tidy/readme-tables.js';
import { bans, doors, mayImport } from './tidy/rules.js';
import { placeOf, readSources } from './tidy/sources.js';

const lineLengthMax = 100;
const functionLinesMax = 70;
const fileLinesMax = 400;

const sources = readSources();
const nodeSources = sources.filter(({ path }) => /^(?:src|workers)\//.test(path));
const imports = nodeSources.flatMap(importsOf);

/** Every offence is printed, one a line. */
function none(offences: readonly string[]): void {
  assert.equal(offences.join('\n'), '');
}

/** `core` for `src/core/clock.ts`, `workers` for `workers/normalise.ts`, `node.ts` for itself. */
function areaOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'src' ? second : first;
}

const isOurs = ({ to }: Import): boolean => to.endsWith('.ts');
const isLibrary = (entry: Import): boolean => !isOurs(entry) && !entry.to.startsWith('node:');

test('the sources were read rightly: outside strings and comments all brackets close', () => {
  const count = (code: string, brackets: RegExp): number => code.match(brackets)?.length ?? 0;
  const unbalanced = sources.filter(({ code }) => count(code, /[{([]/g) !== count(code, /[})\]]/g));
  none(unbalanced.map(({ path }) => path));
});

test('folders import in one direction', () => {
  none(
    imports.filter(isOurs).flatMap(({ place, from, to }) => {
      const area = areaOf(from);
      const target = areaOf(to);
      const allowed = mayImport[area];
      if (allowed === undefined) return [`${place}: add ${area} to test/tidy/rules.ts`];
      if (target === 'main.ts') return [`${place}: nobody imports main.ts`];
      if (area === target || allowed.includes('*') || allowed.includes(target)) return [];
      return [`${place}: ${area} may not import ${to}`];
    }),
  );
});

test('every import of ours exists', () => {
  const paths = new Set(sources.map(({ path }) => path));
  const every = sources.flatMap(importsOf).filter(isOurs);
  none(every.filter(({ to }) => !paths.has(to)).map(({ place, to }) => `${place}: no ${to}`));
});

test('every outside library has one door', () => {
  none(
    imports.filter(isLibrary).flatMap(({ place, from, to }) => {
      const door = doors[to];
      if (door === undefined) return [`${place}: add ${to} to test/tidy/rules.ts`];
      const inside = [door]
        .flat()
        .some((path) => (path.endsWith('/') ? from.startsWith(path) : from === path));
      return inside ? [] : [`${place}: ${to} belongs into ${door}`];
    }),
  );
});

test('imports make no cycle, those of types included', () => {
  none(cyclesOf(imports.filter(isOurs)));
});

test('lines, functions and files are short', () => {
  none(
    sources.flatMap((source) => {
      const lines = source.text.trimEnd().split('\n');
      const long = lines.flatMap((line, index) =>
        line.length > lineLengthMax ? [`${source.path}:${index + 1}: ${line.length} columns`] : [],
      );
      const functions = functionsOf(source)
        .filter((span) => span.lines > functionLinesMax)
        .map((span) => `${span.place}: a function of ${span.lines} lines`);
      const file = lines.length > fileLinesMax ? [`${source.path}: ${lines.length} lines`] : [];
      return [...long, ...functions, ...file];
    }),
  );
});

for (const { name, pattern, view, within, except, instead } of bans) {
  test(`${name} is banned`, () => {
    const global = new RegExp(pattern, 'g');
    none(
      sources
        .filter(({ path }) => within.test(path) && !except.test(path))
        .flatMap((source) =>
          [...source[view].matchAll(global)].map(
            (match) => `${placeOf(source, match.index)}: ${match[0]} → ${instead}`,
          ),
        ),
    );
  });
}

test('the README has every configuration key, metric and error code', async () => {
  const readme = readFileSync(join(packageRoot(), 'README.md'), 'utf8').split('\n');
  const tables = await readmeTables();
  const rows = new Set(readme.map(narrow));
  const missing = tables.flatMap(({ lines }) => lines.filter((line) => !rows.has(narrow(line))));
  none(missing.map((line) => `print the tables with node dist/test/tidy/tables.js: ${line}`));
});

/** A table's row without the spaces and dashes that make its columns straight. */
function narrow(row: string): string {
  return row.replace(/ {2,}/g, ' ').replace(/-{2,}/g, '-').trim();
}

test('every error code, metric and limit is used', () => {
  const { registry, ...metrics } = createMetrics();
  const used = (word: string, except: string): boolean =>
    nodeSources.some(
      ({ path, uncommented }) => path !== except && new RegExp(`\\b${word}\\b`).test(uncommented),
    );
  assert.ok(registry.getMetricsAsArray().length > 0);
  none([
    ...Object.keys(errorCodes).filter((code) => !used(code, 'src/core/errors.ts')),
    ...Object.keys(metrics).filter((name) => !used(name, 'src/core/metrics.ts')),
    ...Object.keys(limits).filter((name) => !used(`limits\\.${name}`, 'src/core/limits.ts')),
  ]);
});
