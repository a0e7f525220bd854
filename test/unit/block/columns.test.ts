import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blockHeader,
  dateTime64Column,
  enum8Column,
  float64Column,
  int64Column,
  lowCardinalityColumn,
  placeholderColumn,
  stringColumn,
  uuidColumn,
} from '../../../src/block/columns.js';
import { BufferFull, Sink } from '../../../src/block/sink.js';
import { type DeviceId, deviceWords } from '../../../src/core/ids.js';

/** What `write` writes, as hex; blanks in `expected` only divide it for the reader. */
function check(write: (sink: Sink) => void, expected: string): void {
  const sink = new Sink(new Uint8Array(256).fill(0xee), 0);
  write(sink);
  const written = Buffer.from(sink.bytes.subarray(0, sink.at)).toString('hex');
  assert.equal(written, expected.replaceAll(/\s/g, ''));
  assert.ok(
    sink.bytes.subarray(sink.at).every((byte) => byte === 0xee),
    'nothing beyond',
  );
}

test('this machine is little-endian, as Native is', () => {
  assert.deepEqual([...new Uint8Array(Uint32Array.of(1).buffer)], [1, 0, 0, 0]);
});

test('numbers of variable length and Strings', () => {
  check((sink) => sink.varint(0), '00');
  check((sink) => sink.varint(127), '7f');
  check((sink) => sink.varint(128), '8001');
  check((sink) => sink.varint(300), 'ac02');
  check((sink) => sink.varint(0xffff_ffff), 'ffffffff0f');
  check((sink) => sink.uint64(0x0102_0304), '0403020100000000');
  check((sink) => sink.ascii('key'), '03 6b6579');
  check((sink) => sink.raw(Uint8Array.of(1, 2, 3, 4), 1, 3), '0203');
  check((sink) => sink.zeros(3), '000000');
});

test('a block begins with its columns and rows', () => {
  check((sink) => blockHeader(sink, 9, 3), '09 03');
  check((sink) => blockHeader(sink, 7, 65_536), '07 808004');
});

test('UUID: two little-endian halves', () => {
  const words = deviceWords('00112233-4455-6677-8899-aabbccddeeff' as DeviceId);
  check(
    (sink) => uuidColumn(sink, 'id', words, 1),
    '02 6964 04 55554944  7766554433221100 ffeeddccbbaa9988',
  );
});

test('DateTime64(3): Int64 milliseconds', () => {
  const type = `14 ${Buffer.from("DateTime64(3, 'UTC')").toString('hex')}`;
  // 2016-01-01 12:00:00.512 is 1,451,649,600,512 = 0x151_FD0F_0C00.
  check(
    (sink) => dateTime64Column(sink, 't', Uint32Array.of(0xfd0f_0c00, 0x151, 1, 0), 2),
    `01 74 ${type} 000c0ffd51010000 0100000000000000`,
  );
});

test('Enum8, Float64 and Int64', () => {
  check(
    (sink) => enum8Column(sink, 'e', "Enum8('a' = 1)", Uint8Array.of(1, 1), 2),
    `01 65 0e ${Buffer.from("Enum8('a' = 1)").toString('hex')} 0101`,
  );
  check(
    (sink) => float64Column(sink, 'n', Float64Array.of(1, -0, 25.31), 3),
    '01 6e 07 466c6f61743634 000000000000f03f 0000000000000080 8fc2f5285c4f3940',
  );
  check(
    (sink) => int64Column(sink, 'l', Uint32Array.of(0xffff_ffff, 0xffff_ffff, 1, 0x20_0000), 2),
    '01 6c 05 496e743634 ffffffffffffffff 0100000000002000',
  );
});

test('String: every row with its length', () => {
  check(
    (sink) => stringColumn(sink, 's', Uint8Array.of(1, 0x61, 0, 2, 0x62, 0x63, 9), 6),
    '01 73 06 537472696e67 0161 00 026263',
  );
});

test('LowCardinality(String): dictionary, then entry numbers', () => {
  const type = `16 ${Buffer.from('LowCardinality(String)').toString('hex')}`;
  check(
    (sink) =>
      lowCardinalityColumn(
        sink,
        'k',
        Uint8Array.of(1, 0x61, 2, 0x62, 0x63),
        5,
        2,
        Uint8Array.of(0, 1, 1),
        1,
        3,
      ),
    `01 6b ${type} 0100000000000000 0006000000000000 0200000000000000 0161 026263
     0300000000000000 000101`,
  );
});

test('the placeholder is one entry that the caller finds again', () => {
  const sink = new Sink(new Uint8Array(256), 0);
  sink.zeros(3);
  const at = placeholderColumn(sink, 'segment', 20, 2);
  const written = Buffer.from(sink.bytes.subarray(0, sink.at));
  assert.equal(written.toString('latin1', at, at + 20), '?'.repeat(20));
  assert.equal(written[at - 1], 20);
  const type = `16 ${Buffer.from('LowCardinality(String)').toString('hex')}`;
  const expected = `000000 07 7365676d656e74 ${type} 0100000000000000 0006000000000000
    0100000000000000 14 ${'3f'.repeat(20)} 0200000000000000 0000`;
  assert.equal(written.toString('hex'), expected.replaceAll(/\s/g, ''));
});

test('a full sink throws before it changes anything', () => {
  const sink = new Sink(new Uint8Array(4), 0);
  sink.zeros(2);
  assert.throws(() => sink.raw(Uint8Array.of(1, 2, 3), 0, 3), BufferFull);
  assert.throws(() => sink.uint64(1), BufferFull);
  assert.throws(() => sink.zeros(3), BufferFull);
  assert.equal(sink.at, 2);
  assert.deepEqual([...sink.bytes], [0, 0, 0, 0]);
});

test('a column shorter than its rows is a programmer error', () => {
  const sink = new Sink(new Uint8Array(256), 0);
  assert.throws(() => float64Column(sink, 'n', new Float64Array(1), 2), /value for every row/);
});
