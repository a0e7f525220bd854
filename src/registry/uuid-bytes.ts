import { assert } from '../core/assert.js';

/** The 16 bytes of a UUID in the order of its text, as a database keeps it. */
export function uuidBytes(id: string): Buffer {
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
  assert(bytes.length === 16, 'an id has 32 hexadecimal digits');
  return bytes;
}

/** The inverse of `uuidBytes`, lower case. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const [a, b, c, d, e] = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ];
  return `${a}-${b}-${c}-${d}-${e}`;
}
