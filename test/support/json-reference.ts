/**
 * What a telemetry payload must become, written for clarity alone: `JSON.parse` and a strict
 * `TextDecoder` decide what is JSON, a small recursive reader keeps literals and duplicates, and
 * the rules follow one by one.
 */
export interface ReferencePoint {
  readonly key: string;
  readonly ts: number | undefined;
  readonly type: 'bool' | 'long' | 'double' | 'string' | 'json';
  /** Number of a bool, long or double; else 0. */
  readonly num: number;
  /** Content of a string, text of a json; else empty. */
  readonly text: string;
}

type Tree =
  | { readonly kind: 'object'; readonly members: [string, Tree][]; readonly text: string }
  | { readonly kind: 'array'; readonly items: Tree[]; readonly text: string }
  | { readonly kind: 'string'; readonly value: string; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'literal'; readonly text: string };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const int64Max = 2n ** 63n - 1n;
const timestampMax = 9_223_372_036_854n;

class Refusal extends Error {}

/** The points of the payload, or undefined when it must be refused. */
export function referencePoints(payload: Uint8Array): ReferencePoint[] | undefined {
  try {
    const text = decoder.decode(payload);
    JSON.parse(text);
    const tree = new TreeReader(text).value();
    refuseIf(depthOf(tree) > 64 || hasLoneSurrogate(tree));
    const elements = tree.kind === 'array' ? tree.items : [tree];
    const points = elements.flatMap(elementPoints);
    refuseIf(points.length > 10_000);
    return points;
  } catch (thrown) {
    if (thrown instanceof Refusal || thrown instanceof SyntaxError) return undefined;
    if (thrown instanceof TypeError && 'code' in thrown) return undefined;
    throw thrown;
  }
}

function refuseIf(condition: boolean): void {
  if (condition) throw new Refusal();
}

function elementPoints(tree: Tree): ReferencePoint[] {
  if (tree.kind !== 'object') throw new Refusal();
  refuseIf(tree.members.length > 1000);
  const named = (name: string): Tree | undefined =>
    tree.members.findLast(([key]) => key === name)?.[1];
  const ts = named('ts');
  const values = named('values');
  if (ts === undefined || values === undefined) return objectPoints(tree.members, undefined);
  if (values.kind !== 'object') throw new Refusal();
  const literal = ts.kind === 'string' ? ts.value : ts.text;
  refuseIf(ts.kind !== 'string' && ts.kind !== 'number');
  refuseIf(!/^-?\d+$/.test(literal));
  const time = BigInt(literal);
  refuseIf(time < 0n || time > timestampMax);
  return objectPoints(values.members, Number(time));
}

function objectPoints(members: [string, Tree][], ts: number | undefined): ReferencePoint[] {
  refuseIf(members.length > 1000);
  const last = new Map<string, ReferencePoint>();
  for (const [key, value] of members) {
    refuseIf(key === '' || [...key].length > 255 || /\p{Cc}/u.test(key));
    last.delete(key);
    if (value.text !== 'null') last.set(key, { key, ts, ...typed(value) });
    if (value.kind === 'number') refuseIf(!Number.isFinite(Number(value.text)));
  }
  return [...last.values()];
}

function typed(tree: Tree): Pick<ReferencePoint, 'type' | 'num' | 'text'> {
  switch (tree.kind) {
    case 'object':
    case 'array':
      return { type: 'json', num: 0, text: tree.text };
    case 'string':
      return { type: 'string', num: 0, text: tree.value };
    case 'literal':
      return { type: 'bool', num: tree.text === 'true' ? 1 : 0, text: '' };
    case 'number': {
      const integer = /^-?\d+$/.test(tree.text) ? BigInt(tree.text) : undefined;
      if (integer !== undefined && integer <= int64Max && integer >= -int64Max - 1n) {
        return { type: 'long', num: Number(integer), text: '' };
      }
      return { type: 'double', num: Number(tree.text), text: '' };
    }
  }
}

function depthOf(tree: Tree): number {
  if (tree.kind === 'object') return 1 + Math.max(0, ...tree.members.map(([, v]) => depthOf(v)));
  if (tree.kind === 'array') return 1 + Math.max(0, ...tree.items.map(depthOf));
  return 0;
}

function hasLoneSurrogate(tree: Tree): boolean {
  const lone = (text: string): boolean => /\p{Surrogate}/u.test(text);
  if (tree.kind === 'string') return lone(tree.value);
  if (tree.kind === 'array') return tree.items.some(hasLoneSurrogate);
  if (tree.kind !== 'object') return false;
  return tree.members.some(([key, value]) => lone(key) || hasLoneSurrogate(value));
}

/** Reads text that is known to be JSON. */
class TreeReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Tree {
    const start = this.#peek();
    if (start === '{') return this.#object();
    if (start === '[') return this.#array();
    if (start === '"') {
      const text = this.#token(/"(?:[^"\\]|\\.)*"/y);
      return { kind: 'string', value: JSON.parse(text) as string, text };
    }
    if (/[-\d]/.test(start)) return { kind: 'number', text: this.#token(/[-+.\deE]+/y) };
    return { kind: 'literal', text: this.#token(/true|false|null/y) };
  }

  #object(): Tree {
    const members: [string, Tree][] = [];
    const texts: string[] = [];
    this.#at += 1;
    while (this.#peek() !== '}') {
      const name = this.#token(/"(?:[^"\\]|\\.)*"/y);
      this.#peek();
      this.#at += 1;
      const value = this.value();
      members.push([JSON.parse(name) as string, value]);
      texts.push(`${name}:${value.text}`);
      if (this.#peek() === ',') this.#at += 1;
    }
    this.#at += 1;
    return { kind: 'object', members, text: `{${texts.join(',')}}` };
  }

  #array(): Tree {
    const items: Tree[] = [];
    this.#at += 1;
    while (this.#peek() !== ']') {
      items.push(this.value());
      if (this.#peek() === ',') this.#at += 1;
    }
    this.#at += 1;
    return { kind: 'array', items, text: `[${items.map(({ text }) => text).join(',')}]` };
  }

  #peek(): string {
    while (' \t\r\n'.includes(this.#text[this.#at]!)) this.#at += 1;
    return this.#text[this.#at]!;
  }

  #token(form: RegExp): string {
    this.#peek();
    form.lastIndex = this.#at;
    const match = form.exec(this.#text);
    if (match === null) throw new Refusal();
    this.#at = form.lastIndex;
    return match[0];
  }
}
