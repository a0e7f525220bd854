import { randomUUID } from 'node:crypto';
import { assert } from './assert.js';

/** A device's UUID in its usual text form, lower case. */
export type DeviceId = string & { readonly brand: 'DeviceId' };

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function newDeviceId(): DeviceId {
  return randomUUID() as DeviceId;
}

/** Returns the id when `text` is a UUID (any case), else undefined. */
export function parseDeviceId(text: string): DeviceId | undefined {
  const lower = text.toLowerCase();
  return uuidForm.test(lower) ? (lower as DeviceId) : undefined;
}

/**
 * The 16 bytes of a UUID as ClickHouse's Native format lays them out (two little-endian UInt64, the
 * first half of the text first), seen as four little-endian 32-bit words.
 */
export function deviceWords(id: DeviceId): Uint32Array {
  const hex = id.replaceAll('-', '');
  assert(hex.length === 32, 'a device id has 32 hexadecimal digits');
  const word = (from: number): number => Number.parseInt(hex.slice(from, from + 8), 16);
  return Uint32Array.of(word(8), word(0), word(24), word(16));
}

/** The inverse of `deviceWords`. */
export function deviceIdOfWords(words: ArrayLike<number>, at: number): DeviceId {
  const hex = (index: number): string => (words[at + index]! >>> 0).toString(16).padStart(8, '0');
  const a = hex(1);
  const b = hex(0);
  const c = hex(3);
  const d = hex(2);
  return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}` as DeviceId;
}
