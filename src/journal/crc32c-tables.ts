/**
 * CRC-32C (Castagnoli, RFC 3720 §12.1) by sixteen look-up tables, in plain JavaScript: the
 * reference for the WebAssembly version, and what runs where WebAssembly has no SIMD.
 */

/**
 * A checksum over `bytes[from, to)` continuing `crc`: 0 starts a new one, and the result of one
 * call is the `crc` of the next. Results are unsigned 32-bit numbers.
 */
export type Crc32c = (crc: number, bytes: Uint8Array, from: number, to: number) => number;

/** The polynomial 0x1EDC6F41 with its bits in the order in which they travel. */
const reflectedPolynomial = 0x82f63b78;
export const sliceTables = 16;

/**
 * Table 0 advances the checksum by one byte, table k by one byte that is followed by k zero bytes;
 * all in one array, table k at k × 256.
 */
export function crc32cTables(): Int32Array {
  const tables = new Int32Array(sliceTables * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    }
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at += 1) {
    const shorter = tables[at - 256]!;
    tables[at] = (shorter >>> 8) ^ tables[shorter & 255]!;
  }
  return tables;
}

/** @hot Sixteen bytes a step; 1.4 GB/s where the WebAssembly version does 2.3 to 9. */
export function tableCrc32c(): Crc32c {
  const all = crc32cTables();
  // Sixteen arrays rather than one: each index is a byte, so no multiplication is left in the loop.
  const table = (index: number): Int32Array => all.slice(index * 256, index * 256 + 256);
  const [t0, t1, t2, t3] = [table(0), table(1), table(2), table(3)];
  const [t4, t5, t6, t7] = [table(4), table(5), table(6), table(7)];
  const [t8, t9, t10, t11] = [table(8), table(9), table(10), table(11)];
  const [t12, t13, t14, t15] = [table(12), table(13), table(14), table(15)];
  return (crc, bytes, from, to) => {
    let register = ~crc;
    let at = from;
    for (; at + 16 <= to; at += 16) {
      register ^=
        bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      register =
        t15[register & 255]! ^
        t14[(register >>> 8) & 255]! ^
        t13[(register >>> 16) & 255]! ^
        t12[register >>> 24]! ^
        t11[bytes[at + 4]!]! ^
        t10[bytes[at + 5]!]! ^
        t9[bytes[at + 6]!]! ^
        t8[bytes[at + 7]!]! ^
        t7[bytes[at + 8]!]! ^
        t6[bytes[at + 9]!]! ^
        t5[bytes[at + 10]!]! ^
        t4[bytes[at + 11]!]! ^
        t3[bytes[at + 12]!]! ^
        t2[bytes[at + 13]!]! ^
        t1[bytes[at + 14]!]! ^
        t0[bytes[at + 15]!]!;
    }
    for (; at < to; at += 1) register = (register >>> 8) ^ t0[(register ^ bytes[at]!) & 255]!;
    return ~register >>> 0;
  };
}
