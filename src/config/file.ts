import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { messageOf } from '../core/errors.js';
import { configKeys } from './keys.js';
import type { ConfigProblem, ConfigReading } from './problem.js';
import { suggest } from './suggest.js';

const defaultConfigFile = 'sluice.yaml';

const leafPaths = new Set(configKeys.map((key) => key.path));
const sectionPaths = new Set(
  configKeys.flatMap(({ path }) => {
    const names = path.split('.');
    return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'));
  }),
);

/**
 * Reads `file`, or `sluice.yaml` of `directory` when there is one. Every entry and problem carries
 * the line and column of its value or key.
 */
export function readConfigFile(file: string | undefined, directory: string): ConfigReading {
  const name = file ?? defaultConfigFile;
  const reading: ConfigReading = { entries: [], problems: [] };
  let text: string;
  try {
    text = readFileSync(resolve(directory, name), 'utf8');
  } catch (thrown) {
    const absent = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    if (file === undefined && absent) return reading;
    const message = absent ? 'there is no such file' : messageOf(thrown);
    const remedy = 'Name a YAML file that this user may read.';
    reading.problems.push({ source: name, key: '', value: undefined, message, remedy });
    return reading;
  }
  new FileReader(name, reading).read(text);
  return reading;
}

/** Walks one document; every path it meets is a known leaf, a known section, or a problem. */
class FileReader {
  readonly #name: string;
  readonly #reading: ConfigReading;
  readonly #lines: LineCounter;

  constructor(name: string, reading: ConfigReading) {
    this.#name = name;
    this.#reading = reading;
    this.#lines = new LineCounter();
  }

  read(text: string): void {
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    for (const error of document.errors) {
      const remedy = 'Correct the YAML at this place.';
      this.#problem(error.pos[0], '', error.message.replace(/\.$/, ''), remedy);
    }
    if (document.errors.length === 0) this.#section(document.contents, '');
  }

  #section(node: Node | null, path: string): void {
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (!isMap(node)) {
      const remedy = 'Write one "key: value" per line.';
      this.#problem(node.range?.[0] ?? 0, path, 'expected keys and values', remedy);
      return;
    }
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : String(key);
      const at = (isScalar(key) ? key.range?.[0] : undefined) ?? node.range?.[0] ?? 0;
      this.#item(path === '' ? name : `${path}.${name}`, name, at, value as Node | null);
    }
  }

  #item(path: string, name: string, keyAt: number, value: Node | null): void {
    const known = !name.includes('.');
    if (known && sectionPaths.has(path)) this.#section(value, path);
    else if (known && leafPaths.has(path)) this.#leaf(path, keyAt, value);
    else {
      const near = leafPaths.has(path) ? path : suggest(path, [...leafPaths, ...sectionPaths]);
      const remedy = near === undefined ? 'See `sluice config print`.' : `Did you mean ${near}?`;
      this.#problem(keyAt, path, 'there is no such key', remedy);
    }
  }

  #leaf(path: string, keyAt: number, node: Node | null): void {
    if (isScalar(node) && node.value !== null) {
      const source = this.#place(node.range?.[0] ?? keyAt);
      this.#reading.entries.push({ path, value: node.value, source });
      return;
    }
    const remedy = 'Write the value behind the colon, or remove the line.';
    this.#problem(keyAt, path, 'expected one value', remedy);
  }

  #problem(offset: number, key: string, message: string, remedy: string): void {
    const problem: ConfigProblem = {
      source: this.#place(offset),
      key,
      value: undefined,
      message,
      remedy,
    };
    this.#reading.problems.push(problem);
  }

  #place(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#name}:${line}:${col}`;
  }
}
