import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateBatch, BatchHead, BatchView } from '../../../src/normalise/batch-layout.js';
import { Normaliser } from '../../../src/normalise/normalise.js';
import { isNearest } from '../../support/exact-decimal.js';
import { type Document, DocumentMaker, type ExpectedValue } from '../../support/json-documents.js';
import { readNativeBlock } from '../../support/native-block.js';
import { testArrival, textsOf } from '../../support/normalise.js';
import { Random } from '../../support/random.js';

const documents = 1_000_000;
const documentsPerBatch = 4096;
const arenaBytes = 4 * 1024 * 1024;
/** Every so many numbers, the exact decimal decides as well. */
const exactEvery = 16;

const typeNumbers = { bool: 1, long: 2, double: 3, string: 4, json: 5 };
const integerForm = /^-?\d+$/;
const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

test('a million documents: the values of JSON.parse, the types of the rules', {
  timeout: 300_000,
}, (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const maker = new DocumentMaker(random);
  const normaliser = new Normaliser();
  const input = allocateBatch(arenaBytes);
  let output = new ArrayBuffer(0);
  let numbers = 0;
  for (let done = 0; done < documents; done += documentsPerBatch) {
    const batch = fill(input, Math.min(documentsPerBatch, documents - done), maker);
    const result = normaliser.normaliseBatch({ input, output, nowMs: testArrival });
    output = result.output as ArrayBuffer;
    assert.equal(result.messagesAccepted, batch.length, firstRefused(input, batch));
    const { start, bytes } = result.telemetry;
    const block = readNativeBlock(new Uint8Array(output, start, bytes));
    const columns = new Columns(block);
    for (const document of batch) {
      checkAgainstParser(document);
      for (const expected of document.expected)
        numbers = columns.check(expected, document, numbers);
    }
    assert.equal(columns.point, block.rows, 'no point that no document has');
  }
  t.diagnostic(`${numbers} numbers`);
});

function fill(input: ArrayBuffer, count: number, maker: DocumentMaker): Document[] {
  const view = new BatchView(input);
  const batch: Document[] = [];
  let at = 0;
  for (let row = 0; row < count; row += 1) {
    const document = maker.document();
    const { written } = encoder.encodeInto(document.text, view.arena.subarray(at));
    view.start[row] = at;
    view.length[row] = written;
    view.receivedAt[row] = testArrival + row;
    view.device[row * 4] = row % 100;
    at += written;
    batch.push(document);
  }
  view.head[BatchHead.rows] = count;
  view.head[BatchHead.arenaUsed] = at;
  return batch;
}

const encoder = new TextEncoder();

/** The generator's own idea of a document agrees with the parser's, or it would prove nothing. */
function checkAgainstParser({ text, expected }: Document): void {
  const parsed: unknown = JSON.parse(text);
  const elements = Array.isArray(parsed) ? (parsed as object[]) : [parsed as object];
  const values = new Map<string, unknown>();
  let count = 0;
  for (const element of elements) {
    const envelope = Object.hasOwn(element, 'ts') && Object.hasOwn(element, 'values');
    const object = envelope ? (element as { values: object }).values : element;
    for (const [key, value] of Object.entries(object)) {
      if (value === null) continue;
      values.set(`${count} ${key}`, value);
    }
    count += 1;
  }
  assert.equal(values.size, expected.length, text);
}

class Columns {
  point = 0;
  readonly #keys: string[];
  readonly #texts: string[];
  readonly #ts: DataView;
  readonly #type: Uint8Array;
  readonly #num: DataView;
  readonly #long: DataView;

  constructor(block: ReturnType<typeof readNativeBlock>) {
    const view = (name: string): DataView => {
      const column = block.columns.get(name);
      assert.ok(column?.kind === 'bytes');
      return new DataView(column.bytes.buffer, column.bytes.byteOffset, column.bytes.length);
    };
    this.#keys = textsOf(block, 'key');
    this.#texts = textsOf(block, 'text');
    this.#ts = view('ts');
    this.#num = view('num');
    this.#long = view('long');
    const type = view('type');
    this.#type = new Uint8Array(type.buffer, type.byteOffset, type.byteLength);
  }

  /** Compares the next point; returns how many numbers were seen, this one included. */
  check(expected: ExpectedValue, document: Document, numbers: number): number {
    const point = this.point;
    const { key, ts, kind, text } = expected;
    this.point = point + 1;
    const fail = (): never => assert.fail(`${JSON.stringify(expected)} of ${document.text}`);
    const num = this.#num.getFloat64(point * 8, true);
    const long = this.#long.getBigInt64(point * 8, true);
    if (this.#keys[point] !== key) fail();
    if (ts !== undefined && this.#ts.getBigInt64(point * 8, true) !== BigInt(ts)) fail();
    if (kind !== 'number') {
      if (this.#type[point] !== typeNumbers[kind] || long !== 0n) fail();
      if (kind === 'bool' ? num !== Number(text === 'true') : num !== 0) fail();
      if (this.#texts[point] !== (kind === 'bool' ? '' : text)) fail();
      return numbers;
    }
    const exact = integerForm.test(text) ? BigInt(text) : undefined;
    const isLong = exact !== undefined && exact >= int64Min && exact <= int64Max;
    const value = isLong ? Number(exact) : (JSON.parse(text) as number);
    if (this.#type[point] !== (isLong ? typeNumbers.long : typeNumbers.double)) fail();
    if (!Object.is(num, value) || this.#texts[point] !== '') fail();
    const wide = isLong && (exact > 2n ** 53n || exact < -(2n ** 53n));
    if (long !== (wide ? exact : 0n)) fail();
    if (!isLong && numbers % exactEvery === 0 && !isNearest(text, num)) fail();
    return numbers + 1;
  }
}

function firstRefused(input: ArrayBuffer, batch: readonly Document[]): string {
  const row = new BatchView(input).outcome.findIndex((outcome) => outcome !== 0);
  return batch[row]?.text ?? '';
}
