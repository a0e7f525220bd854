import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockRows, sliceBlock } from '../../../src/block/slice.js';

/**
 * Three rows of the column types that we write, byte by byte as ClickHouse's Native format has
 * them: UUID, LowCardinality(String), DateTime64, Enum8, String.
 */
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const u64 = (value: number): number[] => [value, 0, 0, 0, 0, 0, 0, 0];
const uuid = (byte: number): number[] => new Array<number>(16).fill(byte);
const dictionary = [...u64(1), 0, 6, 0, 0, 0, 0, 0, 0, ...u64(2), 1, 0x61, 2, 0x62, 0x63];

function block(rows: readonly number[]): Uint8Array {
  const texts = [name('x'), [0], name('long')];
  return Uint8Array.from([
    ...[5, rows.length],
    ...[...name('id'), ...name('UUID'), ...rows.flatMap((row) => uuid(row + 1))],
    ...[...name('key'), ...name('LowCardinality(String)'), ...dictionary],
    ...[...u64(rows.length), ...rows.map((row) => [0, 1, 0][row] ?? 9)],
    ...[...name('ts'), ...name("DateTime64(3, 'UTC')"), ...rows.flatMap((row) => u64(row + 7))],
    ...[...name('type'), ...name("Enum8('a' = 1)"), ...rows.map((row) => row + 3)],
    ...[...name('text'), ...name('String'), ...rows.flatMap((row) => texts[row] ?? [])],
  ]);
}

test('rows are cut out of every column, dictionaries stay whole', () => {
  const whole = block([0, 1, 2]);
  assert.equal(blockRows(whole), 3);
  const check = (from: number, to: number, rows: number[]): void => {
    assert.deepEqual([...sliceBlock(whole, from, to)], [...block(rows)]);
  };
  check(0, 3, [0, 1, 2]);
  check(0, 1, [0]);
  check(1, 2, [1]);
  check(2, 3, [2]);
  check(0, 2, [0, 1]);
  check(1, 3, [1, 2]);
});

test('a slice beyond the block, or bytes behind it, are a broken invariant', () => {
  const whole = block([0, 1, 2]);
  assert.throws(() => sliceBlock(whole, 1, 4), /within its block/);
  assert.throws(() => sliceBlock(whole, 1, 1), /within its block/);
  assert.throws(() => sliceBlock(Uint8Array.from([...whole, 0]), 0, 1), /ends with/);
});
