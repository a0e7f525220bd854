import { Packr, Unpackr } from 'msgpackr';
import type { AttributeRecord } from './result.js';

/**
 * The attributes record of a journal segment, in MessagePack; the only door to msgpackr.
 *
 * Payloads of devices do not pass here: msgpackr gives a float64 42.0 and an integer 42 as the same
 * number, and the difference is what makes a double or a long. `msgpack-message.ts` walks their
 * bytes.
 */
export function packAttributes(records: readonly AttributeRecord[]): Uint8Array {
  return new Packr({ useRecords: false }).pack(records);
}

/** The inverse of `packAttributes`; longs come back as bigint. Throws on anything else. */
export function unpackAttributes(bytes: Uint8Array): AttributeRecord[] {
  const codec = new Unpackr({ useRecords: false, int64AsType: 'bigint' });
  return codec.unpack(bytes) as AttributeRecord[];
}
