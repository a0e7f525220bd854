import { gzipSync } from 'node:zlib';
import { pack } from 'msgpackr';
import type { Random } from './random.js';

/** A body as it will be sent, and what is known of it. */
export interface FuzzBody {
  readonly bytes: Buffer;
  /** Header lines beside those of the framing, each with its CRLF. */
  readonly headers: string;
  readonly path: 'telemetry' | 'attributes';
  /** JSON that nobody compressed or packed: `JSON.parse` may judge it. */
  readonly plainJson: boolean;
}

const documents = [
  '{"temperature":42,"humidity":73}',
  '{"temperature":25.31,"humidity":64.2,"n":9007199254740993}',
  '{"ts":1451649600512,"values":{"key1":"value1","key2":true}}',
  '[{"ts":1451649600512,"values":{"a":1}},{"b":[1,2,{"c":null}]},{}]',
  '{"stringKey":"value1","booleanKey":true,"doubleKey":42.0,"longKey":73,' +
    '"jsonKey":{"someNumber":42,"someArray":[1,2,3],"someNestedObject":{"key":"value"}}}',
  '{"__proto__":{"x":1},"constructor":"y","toString":1e3,"":0}',
  '{"u":"\\u00e9\\ud83d\\ude00 é😀","e":-1.5e-300,"big":123456789012345678901234567890}',
  '[]',
  '{}',
  '[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]',
];
const fragments = ['"', '\\', '{', '}', '[', ']', ',', ':', '\\u12', '1e999', '\0', 'nul', '\xff'];

/** Makes one body from the documents above: sound, or with up to four faults. */
export function fuzzBody(random: Random): FuzzBody {
  const document = documents[random.between(0, documents.length - 1)] ?? '{}';
  let bytes: Buffer = Buffer.from(document);
  const form = random.between(0, 19);
  const path = random.between(0, 4) === 0 ? 'attributes' : 'telemetry';
  if (form === 0) {
    bytes = mutate(random, gzipSync(bytes));
    return { bytes, headers: 'Content-Encoding: gzip\r\n', path, plainJson: false };
  }
  if (form === 1) {
    bytes = mutate(random, pack(JSON.parse(document)));
    const headers = 'Content-Type: application/msgpack\r\n';
    return { bytes, headers, path, plainJson: false };
  }
  bytes = mutate(random, bytes);
  if (form === 2) bytes = Buffer.from(`{"pad":"${'x'.repeat(random.between(0, 20_000))}"}`);
  return { bytes, headers: '', path, plainJson: true };
}

export function mutate(random: Random, source: Uint8Array): Buffer {
  let bytes: Buffer = Buffer.from(source);
  for (let faults = random.between(0, 4); faults > 0 && bytes.length > 0; faults--) {
    const at = random.between(0, bytes.length - 1);
    const until = Math.min(bytes.length, at + random.between(1, 8));
    const [before, middle, after] = [
      bytes.subarray(0, at),
      bytes.subarray(at, until),
      bytes.subarray(until),
    ];
    switch (random.between(0, 4)) {
      case 0:
        bytes[at] = random.between(0, 255);
        break;
      case 1:
        bytes = Buffer.concat([before, after]);
        break;
      case 2:
        bytes = Buffer.concat([before, middle, middle, after]);
        break;
      case 3:
        bytes = Buffer.from(before);
        break;
      default: {
        const fragment = fragments[random.between(0, fragments.length - 1)] ?? '';
        bytes = Buffer.concat([before, Buffer.from(fragment, 'latin1'), middle, after]);
      }
    }
  }
  return bytes;
}
