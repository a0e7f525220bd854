/**
 * CRC-32C in WebAssembly, for the journal's commit path: two functions, assembled below from named
 * instructions so that no tool and no binary file is needed to read or change them.
 *
 *   sum   sixteen table look-ups a step, as in crc32c-tables.ts           2.3 GB/s
 *   fold  shortens a long message to its last 5,275 bytes and a few more  9 GB/s, copy included
 *
 * Why `fold` is right. Seen as a polynomial over GF(2) a message may be changed by any multiple of
 * the CRC's polynomial P without changing its remainder. P divides the four-term polynomial
 * x^5275 + x^4508 + x^2751 + 1 (the shortest there is: up to 5,243 data bits no change of four bits
 * escapes CRC-32C), hence also its 8th power, whose exponents are eight times as large, that is,
 * whole bytes. So a byte can be replaced by zero when it is added to the bytes 767 (5275 - 4508),
 * 2524 (5275 - 2751) and 5275 places later, and sixteen bytes at once cost three XORs.
 */
import { type Crc32c, crc32cTables, sliceTables } from './crc32c-tables.js';

const foldDistances = Object.freeze([767, 2524, 5275]);
const foldReach = 5275;
/** Sixteen-byte vectors folded in one turn of the loop; they must not reach the first distance. */
const foldVectors = 4;
/** Below this the 5,275 bytes that `sum` must do anyway are too large a share. */
const foldBytesMin = 12 * 1024;

const tableBytes = sliceTables * 256 * 4;
/** The message is copied in piece by piece; a piece stays in the second-level cache. */
const pieceBytes = 256 * 1024;
const pageBytes = 64 * 1024;

/** Undefined where WebAssembly or its SIMD instructions are missing. */
export function simdCrc32c(): Crc32c | undefined {
  const instance = instantiate();
  if (instance === undefined) return undefined;
  const { memory, sum, fold } = instance;
  const inside = new Uint8Array(memory.buffer);
  inside.set(new Uint8Array(crc32cTables().buffer), 0);
  return (crc, bytes, from, to) => {
    let register = ~crc;
    for (let at = from; at < to; at += pieceBytes) {
      const end = Math.min(to, at + pieceBytes);
      const length = end - at;
      inside.set(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end), tableBytes);
      let start = tableBytes;
      if (length >= foldBytesMin) {
        // The register's initial value is the same as adding it to the first four bytes.
        for (let i = 0; i < 4; i += 1) {
          inside[tableBytes + i] = inside[tableBytes + i]! ^ (register >>> (8 * i));
        }
        register = 0;
        start += length - foldReach - ((length - foldReach) % (16 * foldVectors));
        fold(tableBytes, start);
      }
      register = sum(register, start, tableBytes + length);
    }
    return ~register >>> 0;
  };
}

interface Instance {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly sum: (register: number, at: number, end: number) => number;
  readonly fold: (at: number, end: number) => void;
}

/** The part of the global `WebAssembly` that is used; Node's type definitions have none of it. */
interface WebAssemblyGlobal {
  readonly validate: (bytes: Uint8Array) => boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

function instantiate(): Instance | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyGlobal };
  const bytes = moduleBytes();
  if (WebAssembly === undefined || !WebAssembly.validate(bytes)) return undefined;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Instance;
}

// ── instructions (WebAssembly 2.0, chapter 5) ─────────────────────────────────────────────────
type Code = readonly number[];
const i32 = 0x7f;
const v128 = 0x7b;
const noResult = 0x40;
const block: Code = [0x02, noResult];
const loop: Code = [0x03, noResult];
const end: Code = [0x0b];
const branch = (depth: number): Code => [0x0c, depth];
const branchIf = (depth: number): Code => [0x0d, depth];
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const constant = (value: number): Code => [0x41, ...signedLeb(value)];
const greaterUnsigned: Code = [0x4b];
const atLeastUnsigned: Code = [0x4f];
const add: Code = [0x6a];
const and: Code = [0x71];
const xor: Code = [0x73];
const shiftLeft: Code = [0x74];
const shiftRightUnsigned: Code = [0x76];
const load32 = (offset: number): Code => [0x28, 0, ...leb(offset)];
const load8 = (offset: number): Code => [0x2d, 0, ...leb(offset)];
const loadVector = (offset: number): Code => [0xfd, 0x00, 0, ...leb(offset)];
const storeVector = (offset: number): Code => [0xfd, 0x0b, 0, ...leb(offset)];
const xorVector: Code = [0xfd, 0x51];

/** `while (!leave) body`, where `leave` puts its condition on the stack. */
function until(leave: Code, body: Code): Code {
  return [...block, ...loop, ...leave, ...branchIf(1), ...body, ...branch(0), ...end, ...end];
}

function increase(local: number, by: number): Code {
  return [...get(local), ...constant(by), ...add, ...set(local)];
}

/** table[index byte of the word], the table as an offset into the memory. */
function lookUp(word: Code, table: number): Code {
  return [...word, ...constant(2), ...shiftLeft, ...load32(table * 1024)];
}

/** sum(register, at, end): locals 0 to 2, and the four words of a step in 3 to 6. */
function sumBody(): Code {
  const [register, at, to, words] = [0, 1, 2, 3];
  const loads: number[] = [];
  for (let word = 0; word < 4; word += 1) {
    loads.push(...get(at), ...load32(word * 4));
    if (word === 0) loads.push(...get(register), ...xor);
    loads.push(...set(words + word));
  }
  const lookUps: number[] = [];
  for (let index = 0; index < sliceTables; index += 1) {
    const shift: Code = [...constant(8 * (index % 4)), ...shiftRightUnsigned];
    const word = [...get(words + Math.floor(index / 4)), ...shift, ...constant(255), ...and];
    lookUps.push(...lookUp(word, sliceTables - 1 - index));
    if (index > 0) lookUps.push(...xor);
  }
  const lowByte = [...get(register), ...get(at), ...load8(0), ...xor, ...constant(255), ...and];
  const shifted = [...get(register), ...constant(8), ...shiftRightUnsigned];
  return [
    ...until(
      [...get(at), ...constant(sliceTables), ...add, ...get(to), ...greaterUnsigned],
      [...loads, ...lookUps, ...set(register), ...increase(at, sliceTables)],
    ),
    ...until(
      [...get(at), ...get(to), ...atLeastUnsigned],
      [...shifted, ...lookUp(lowByte, 0), ...xor, ...set(register), ...increase(at, 1)],
    ),
    ...get(register),
    ...end,
  ];
}

/** fold(at, end): locals 0 and 1, and one vector in 2. `end - at` is a multiple of 64. */
function foldBody(): Code {
  const [at, to, vector] = [0, 1, 2];
  const steps: number[] = [];
  for (let offset = 0; offset < 16 * foldVectors; offset += 16) {
    steps.push(...get(at), ...loadVector(offset), ...set(vector));
    for (const distance of foldDistances) {
      const target = offset + distance;
      steps.push(...get(at), ...get(at), ...loadVector(target));
      steps.push(...get(vector), ...xorVector, ...storeVector(target));
    }
  }
  return [
    ...until(
      [...get(at), ...get(to), ...atLeastUnsigned],
      [...steps, ...increase(at, 16 * foldVectors)],
    ),
    ...end,
  ];
}

// ── the module around them ────────────────────────────────────────────────────────────────────
function moduleBytes(): Uint8Array {
  const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content];
  const text = (name: string): Code => [name.length, ...Buffer.from(name)];
  const body = (locals: Code, code: Code): Code => [
    ...leb(locals.length + code.length),
    ...locals,
    ...code,
  ];
  const pages = Math.ceil((tableBytes + pieceBytes) / pageBytes);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, [2, ...[0x60, 3, i32, i32, i32, 1, i32], ...[0x60, 2, i32, i32, 0]]), // types
    ...section(3, [2, 0, 1]), // two functions of these types
    ...section(5, [1, 0, pages]), // one memory
    ...section(7, [
      3,
      ...[...text('memory'), 2, 0],
      ...[...text('sum'), 0, 0],
      ...[...text('fold'), 0, 1],
    ]),
    ...section(10, [2, ...body([1, 4, i32], sumBody()), ...body([1, 1, v128], foldBody())]),
  ]);
}

function leb(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

function signedLeb(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 63 || rest < -64; rest >>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest & 127];
}
