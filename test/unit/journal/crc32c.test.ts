import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCrc32c } from '../../../src/journal/crc32c.js';
import { simdCrc32c } from '../../../src/journal/crc32c-simd.js';
import { type Crc32c, tableCrc32c } from '../../../src/journal/crc32c-tables.js';

const simd = simdCrc32c();

/** Bit by bit, straight from the definition: slow, and nothing to get wrong. */
function definition(bytes: Uint8Array): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      register = (register & 1) === 1 ? (register >>> 1) ^ 0x82f63b78 : register >>> 1;
    }
  }
  return ~register >>> 0;
}

function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

for (const [name, crc32c] of [
  ['tables', tableCrc32c()],
  ['WebAssembly', simd],
] as [string, Crc32c | undefined][]) {
  test(`CRC-32C by ${name}: the vectors of RFC 3720, section B.4`, () => {
    assert.ok(crc32c !== undefined, 'this Node has WebAssembly with SIMD');
    const check = (bytes: number[] | Uint8Array, expected: number): void =>
      assert.equal(crc32c(0, Uint8Array.from(bytes), 0, bytes.length), expected);
    check(new Uint8Array(32), 0x8a9136aa);
    check(new Uint8Array(32).fill(0xff), 0x62a8ab43);
    check([...new Uint8Array(32).keys()], 0x46dd794e);
    check([...new Uint8Array(32).keys()].reverse(), 0x113fdb5c);
    check(
      Buffer.from(
        '01c00000' +
          '00000000' +
          '00000000' +
          '00000000' +
          '14000000' +
          '00000400' +
          '00000014' +
          '00000018' +
          '28000000' +
          '00000000' +
          '02000000' +
          '00000000',
        'hex',
      ),
      0xd9963a56,
    );
    check(Buffer.from('123456789'), 0xe3069283);
    check([], 0);
  });

  test(`CRC-32C by ${name}: every length, offset and cut agrees with the definition`, () => {
    assert.ok(crc32c !== undefined);
    const bytes = bytesOf(40_000, 1);
    for (const length of [1, 3, 15, 16, 17, 31, 64, 300, 5275, 12_287, 12_288, 12_289, 39_990]) {
      for (const from of [0, 1, 7]) {
        const expected = definition(bytes.subarray(from, from + length));
        assert.equal(crc32c(0, bytes, from, from + length), expected, `${length} from ${from}`);
        const cut = from + Math.floor(length / 3);
        const first = crc32c(0, bytes, from, cut);
        assert.equal(crc32c(first, bytes, cut, from + length), expected, `${length} cut`);
      }
    }
  });
}

test('CRC-32C: WebAssembly and tables agree beyond one piece of 256 KiB', () => {
  assert.ok(simd !== undefined);
  const tables = tableCrc32c();
  for (const length of [262_143, 262_144, 262_145, 262_144 + 12_288, 1_048_583]) {
    const bytes = bytesOf(length, length);
    assert.equal(simd(7, bytes, 0, length), tables(7, bytes, 0, length), `${length} bytes`);
  }
});

test('CRC-32C: what the journal uses here is one of the two', () => {
  assert.equal(createCrc32c()(0, Buffer.from('123456789'), 0, 9), 0xe3069283);
});
