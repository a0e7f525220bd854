import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCrc32c } from '../../../src/journal/crc32c.js';
import { Group, pendingAppend } from '../../../src/journal/group.js';
import type { JournalFile } from '../../../src/journal/journal-fs.js';
import { OpenSegment } from '../../../src/journal/open-segment.js';
import { type JournalRecord, RecordKind } from '../../../src/journal/record.js';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../../src/journal/segment-header.js';
import { parseSegmentFile, segmentFile, segmentName } from '../../../src/journal/segment-name.js';
import { FaultFs } from '../../support/fault-fs.js';

const crc32c = createCrc32c();

/** Laid out and summed by hand (the checksums with a bitwise CRC-32C outside of this project). */
const headerHex = [
  '534c554943454a0a', // "SLUICEJ\n"
  '01000000', // format version 1
  '014ca93f', // journal id 0x3fa94c01
  '2a00000000000000', // segment number 42
  '7b68e5cf8b010000', // prepared at 1700000000123
  '00000002', // 33554432 bytes
  '0df0feca', // salt 0xcafef00d
  '00'.repeat(20),
  '97a28aa9', // CRC-32C 0xa98aa297
].join('');

const firstRecordHex = [
  '72656331', // "rec1"
  '01000000', // telemetry
  '03000000', // 3 rows
  '19000000', // 25 bytes of payload
  '02000000', // the name is at byte 2 of them
  '00100000', // the group starts at byte 4096
  '1eab9d0c', // CRC-32C of the payload
  '179e8771', // CRC-32C of this header, begun with the segment's XOR 4096
  '4142', // "AB"
  '33666139346330312d3030303030303030303432', // "3fa94c01-00000000042"
  '434445', // "CDE"
  '00000000000000', // up to a multiple of 8
].join('');

const secondRecordHex = [
  '72656331',
  '02000000', // attributes
  '01000000', // 1 row
  '08000000',
  'ffffffff', // no name
  '00100000', // the same group
  'abc5641d',
  '2556bbbc',
  '3132333435363738',
].join('');

const identity = {
  journalId: 0x3fa94c01,
  number: 42,
  preparedAtMs: 1_700_000_000_123,
};

async function segment(): Promise<OpenSegment> {
  const fs = new FaultFs(() => 0, 1 << 20);
  const file: JournalFile = await fs.open('/segment', 'create');
  const name = '3fa94c01-00000000042';
  return new OpenSegment({ ...identity, name, seed: 0xa98aa297 }, '/segment', file, 65_536);
}

test('a segment header is laid out as its drawing says', () => {
  const described = { ...identity, fileBytes: 33_554_432, salt: 0xcafef00d };
  const { page, seed } = encodeSegmentHeader(described, crc32c);
  assert.equal(page.byteLength, 4096);
  assert.equal(Buffer.from(page.subarray(0, 64)).toString('hex'), headerHex);
  assert.ok(page.subarray(64).every((byte) => byte === 0));
  assert.equal(seed, 0xa98aa297);
});

test('a header is read back, and any changed bit of it is noticed', () => {
  const page = Buffer.alloc(4096);
  page.write(headerHex, 'hex');
  assert.deepEqual(decodeSegmentHeader(page, crc32c), {
    kind: 'header',
    header: { ...identity, fileBytes: 33_554_432, salt: 0xcafef00d, seed: 0xa98aa297 },
  });
  for (let bit = 0; bit < 512; bit += 1) {
    const damaged = Buffer.from(page);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(decodeSegmentHeader(damaged, crc32c).kind, 'unreadable', `bit ${bit}`);
  }
  assert.equal(decodeSegmentHeader(Buffer.alloc(4096), crc32c).kind, 'blank');
  assert.equal(decodeSegmentHeader(Buffer.alloc(63), crc32c).kind, 'unreadable');
});

test('a header of a later format version is not read as ours', () => {
  const page = Buffer.alloc(4096);
  page.write(headerHex, 'hex');
  page[8] = 2;
  page.writeUInt32LE(crc32c(0, page, 0, 60), 60);
  assert.deepEqual(decodeSegmentHeader(page, crc32c), {
    kind: 'unreadable',
    reason: 'format version 2 is not known',
  });
});

test('records are laid out as their drawing says, payloads are not copied', async () => {
  const target = await segment();
  const group = new Group(crc32c);
  const first = Buffer.from('AB....................CDE');
  const second = Buffer.from('12345678');
  const records: JournalRecord[] = [
    { kind: RecordKind.telemetry, rows: 3, bytes: first, segmentNameAt: 2 },
    { kind: RecordKind.attributes, rows: 1, bytes: second, segmentNameAt: -1 },
  ];
  group.place(
    pendingAppend(records, () => {}),
    target,
  );
  group.finish();
  const written = Buffer.concat(group.vectors).toString('hex');
  assert.equal(written, firstRecordHex + secondRecordHex);
  assert.equal(group.from, 4096);
  assert.equal(group.bytes, 64 + 40);
  assert.equal(target.placedEnd, 4096 + 64 + 40);
  assert.equal(target.placedRows, 4);
  assert.ok(group.vectors.includes(first) && group.vectors.includes(second));
});

test('the state of a segment is in the name of its file', () => {
  const name = segmentName(0x3fa94c01, 42);
  assert.equal(name, '3fa94c01-00000000042');
  assert.equal(segmentName(1, 99_999_999_999), '00000001-99999999999');
  assert.equal(segmentFile(name, 'new', 0), '3fa94c01-00000000042.new');
  assert.equal(segmentFile(name, 'open', 0), '3fa94c01-00000000042.open');
  assert.equal(segmentFile(name, 'free', 0), '3fa94c01-00000000042.free');
  assert.equal(segmentFile(name, 'sealed', 29360128), '3fa94c01-00000000042.29360128.sealed');
  const parsed = { journalId: 0x3fa94c01, number: 42, name };
  assert.deepEqual(parseSegmentFile('3fa94c01-00000000042.open'), {
    ...parsed,
    state: 'open',
    end: 0,
  });
  assert.deepEqual(parseSegmentFile('3fa94c01-00000000042.29360128.sealed'), {
    ...parsed,
    state: 'sealed',
    end: 29_360_128,
  });
  for (const file of [
    '3fa94c01-00000000042',
    '3fa94c01-00000000042.sealed',
    '3fa94c01-00000000042.4095.sealed',
    '3fa94c01-00000000042.4096.open',
    '3FA94C01-00000000042.open',
    '3fa94c01-0000000042.open',
    'x3fa94c01-00000000042.open',
    'quarantine',
  ]) {
    assert.equal(parseSegmentFile(file), undefined, file);
  }
});
