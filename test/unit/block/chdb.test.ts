import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockHeader, lowCardinalityColumn, stringColumn } from '../../../src/block/columns.js';
import { Sink } from '../../../src/block/sink.js';
import type { DeviceId } from '../../../src/core/ids.js';
import { Outcome } from '../../../src/core/outcome.js';
import { MessageKind, Protocol } from '../../../src/normalise/batch-layout.js';
import { readWithChdb } from '../../support/chdb-query.js';
import { normalise, testArrival } from '../../support/normalise.js';

const segment = '3fa94c01-00000000042';

/** One record's bytes with the segment's name in place, as the journal stores them. */
function stored(
  output: ArrayBufferLike,
  record: { start: number; bytes: number; segmentNameAt: number },
): Uint8Array {
  const bytes = new Uint8Array(output).slice(record.start, record.start + record.bytes);
  Buffer.from(bytes.buffer).write(segment, record.segmentNameAt, 'latin1');
  return bytes;
}

test('ClickHouse reads a telemetry block of every type as it was meant', async () => {
  const device = '01234567-89ab-4cde-8f01-23456789abcd' as DeviceId;
  const { result } = normalise([
    { payload: '{"on":true,"n":-7,"big":-9007199254740993,"t":25.31,"gone":null}', device },
    { payload: '{"s":"é\\u0000\\"","j":{"a": [1, 2.0]},"on":false}', receivedAt: testArrival + 7 },
    { payload: '{"refused":1,}' },
    { payload: '{"ts":9223372036854,"values":{"t":1e-7,"big":9223372036854775807}}' },
  ]);
  const rows = await readWithChdb(
    stored(result.output, result.telemetry),
    `toString(device_id) device, key, toTypeName(key) kind, toString(ts) ts,
     toString(received_at) received, type, num, long, text, segment`,
  );
  const other = 'e0a1b2c3-d4e5-4f60-8172-8394a5b6c7d8';
  const arrival = '2023-11-14 22:13:20.000';
  const later = '2023-11-14 22:13:20.007';
  const last = '2262-04-11 23:47:16.854';
  const row = (from: string, key: string, ts: string, received: string, ...rest: unknown[]) => {
    const [type, num, long = '0', text = ''] = rest;
    const kind = 'LowCardinality(String)';
    return { device: from, key, kind, ts, received, type, num, long, text, segment };
  };
  assert.deepEqual(rows, [
    row(device, 'on', arrival, arrival, 'bool', 1),
    row(device, 'n', arrival, arrival, 'long', -7),
    row(device, 'big', arrival, arrival, 'long', -(2 ** 53), '-9007199254740993'),
    row(device, 't', arrival, arrival, 'double', 25.31),
    row(other, 's', later, later, 'string', 0, '0', 'é\0"'),
    row(other, 'j', later, later, 'json', 0, '0', '{"a":[1,2.0]}'),
    row(other, 'on', later, later, 'bool', 0),
    row(other, 't', last, arrival, 'double', 1e-7),
    row(other, 'big', last, arrival, 'long', 2 ** 63, '9223372036854775807'),
  ]);
});

test('ClickHouse reads full batches, one after the other, with wide dictionaries', async () => {
  const full = normalise(
    Array.from({ length: 4096 }, (_, row) => ({
      payload: `{"k${row % 700}":${row},"half":${row}.5,"s":"text ${row}"}`,
      receivedAt: testArrival + row,
    })),
  );
  assert.equal(full.result.telemetry.rows, 3 * 4096);
  const small = normalise([{ payload: '{"half":0.5}' }]);
  const blocks = Buffer.concat([
    stored(full.result.output, full.result.telemetry),
    stored(small.result.output, small.result.telemetry),
  ]);
  const [row] = await readWithChdb(
    blocks,
    `count() rows, uniqExact(key) keys, sum(num) total, sumIf(num, key = 'half') half,
     countIf(key = 'k699') k699, countIf(text = 'text 4095' AND num = 0) last,
     sum(toUnixTimestamp64Milli(ts) - ${testArrival}) times, countIf(ts = received_at) same,
     uniqExact(segment) segments`,
  );
  const sum = (4095 * 4096) / 2;
  assert.deepEqual(row, {
    rows: '12289',
    keys: '702',
    total: sum * 2 + 2048 + 0.5,
    half: sum + 2048 + 0.5,
    k699: '5',
    last: '1',
    times: String(sum * 3),
    same: '12289',
    segments: '1',
  });
});

test('ClickHouse reads dictionaries of 256, 257 and 70,000 entries', async () => {
  for (const entries of [256, 257, 70_000]) {
    const dictionary = new Sink(new Uint8Array(entries * 8), 0);
    const texts = new Sink(new Uint8Array(entries * 8), 0);
    for (let entry = 0; entry < entries; entry += 1) {
      dictionary.ascii(`e${entry}`);
      texts.ascii(`e${entries - 1 - entry}`);
    }
    const falling = (_: unknown, entry: number): number => entries - 1 - entry;
    const indexes =
      entries <= 256
        ? Uint8Array.from({ length: entries }, falling)
        : entries <= 65_536
          ? Uint16Array.from({ length: entries }, falling)
          : Uint32Array.from({ length: entries }, falling);
    const sink = new Sink(new Uint8Array(entries * 24 + 256), 0);
    blockHeader(sink, 2, entries);
    lowCardinalityColumn(
      sink,
      'k',
      dictionary.bytes,
      dictionary.at,
      entries,
      indexes,
      indexes.BYTES_PER_ELEMENT,
      entries,
    );
    stringColumn(sink, 's', texts.bytes, texts.at);
    const [row] = await readWithChdb(
      sink.bytes.slice(0, sink.at),
      'count() rows, countIf(k = s) same, uniqExact(k) keys',
    );
    assert.deepEqual(row, {
      rows: String(entries),
      same: String(entries),
      keys: String(entries),
    });
  }
});

test('ClickHouse reads a block of rejected messages', async () => {
  const payload = Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]);
  const { result } = normalise([
    { payload, topic: 'v1/devices/me/telemetry', protocol: Protocol.mqtt },
    { payload: 'x'.repeat(3000), protocol: Protocol.http, receivedAt: testArrival + 1 },
    { payload: '{}', kind: MessageKind.refused, outcome: Outcome.topicUnknown, topic: 'nowhere' },
    { payload: '{"fine":1}' },
  ]);
  const rows = await readWithChdb(
    stored(result.output, result.rejected),
    `toString(device_id) device, toString(received_at) received, protocol, topic, reason,
     hex(substring(payload, 1, 10)) start, length(payload) bytes, segment`,
  );
  const device = 'e0a1b2c3-d4e5-4f60-8172-8394a5b6c7d8';
  const received = '2023-11-14 22:13:20.000';
  assert.deepEqual(rows, [
    {
      ...{ device, received, protocol: 'mqtt', topic: 'v1/devices/me/telemetry' },
      ...{ reason: 'invalid UTF-8 at byte 6', start: '7B2261223A22FFFE227D', bytes: '10', segment },
    },
    {
      ...{ device, received: '2023-11-14 22:13:20.001', protocol: 'http', topic: '' },
      ...{ reason: 'malformed JSON at byte 0', start: '78'.repeat(10), bytes: '1024', segment },
    },
    {
      ...{ device, received, protocol: 'mqtt', topic: 'nowhere' },
      ...{ reason: 'unknown topic', start: '7B7D', bytes: '2', segment },
    },
  ]);
});
