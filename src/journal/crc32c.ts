import { simdCrc32c } from './crc32c-simd.js';
import { type Crc32c, tableCrc32c } from './crc32c-tables.js';

/** The fastest CRC-32C of this machine; 320 KiB of memory when it is the WebAssembly one. */
export function createCrc32c(): Crc32c {
  return simdCrc32c() ?? tableCrc32c();
}
