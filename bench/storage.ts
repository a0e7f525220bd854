/**
 * What a stored point costs: bytes per column after merges, processor time per insert by table
 * engine, and the time of the usual questions before and after merges. The figures of
 * `schema/README.md` come from here.
 *
 *     node dist/bench/storage.js [--devices 1000] [--ticks 600] [--json]
 *
 * Points = devices × ticks × 10 keys, one message per device every ten seconds of data time.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ClickhouseClient } from '../src/clickhouse/client.js';
import { runRollup } from '../src/clickhouse/rollup.js';
import { systemClock } from '../src/core/clock.js';
import { connectTo, migrateTo, startClickhouse } from '../test/support/clickhouse.js';
import { codecTables, segmentSelect, variantTables } from './storage-data.js';
import { questionsOf } from './storage-questions.js';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000' },
    ticks: { type: 'string', default: '600' },
    json: { type: 'boolean', default: false },
  },
});
const devices = Number(values.devices);
const ticksPerSegment = Math.max(1, Math.round(20_000 / devices));
const segments = Math.floor(Number(values.ticks) / ticksPerSegment);
const points = segments * ticksPerSegment * devices * 10;

const settings = {
  async_insert: '0',
  max_threads: '1',
  max_insert_threads: '1',
  optimize_on_insert: '0', // as the node's own client does
  min_insert_block_size_rows: '2000000',
  min_insert_block_size_bytes: '0',
  max_execution_time: '600',
};

const store = await startClickhouse({ memoryBytesMax: 2 ** 31 });
const client = connectTo(store);
const report: Record<string, unknown> = { points, devices, pointsPerSegment: points / segments };
try {
  await migrateTo(store);
  await makeSource(client);
  report['one insert of native blocks'] = await measureNative(client);
  report['insert'] = await measureInserts(client);
  report['before merges'] = await measureQuestions(client);
  report['hourly roll-up'] = await measureRollup(client);
  await mergeAll(client);
  report['after merges'] = await measureQuestions(client);
  report['bytes per point'] = await measureBytes(client);
} finally {
  await client.close();
  await store.remove();
}
print(report);

/** All rows in the order of their arrival, segment by segment, for every table to copy from. */
async function makeSource(client: ClickhouseClient): Promise<void> {
  await client.command('CREATE TABLE source AS telemetry ENGINE = MergeTree ORDER BY segment');
  await client.command(
    `INSERT INTO device_versions
     SELECT reinterpretAsUUID(toUInt128(cityHash64(number)) * toUInt128('18446744073709551616')
       + cityHash64(number, 1)), concat('device ', toString(number)), 'default', '',
       true, false, 1, 0
     FROM numbers(${devices})`,
  );
  for (let at = 0; at < segments; at += 1) {
    const select = segmentSelect(devices, at * ticksPerSegment, ticksPerSegment, at);
    await client.command(`INSERT INTO source ${select}`, {}, settings);
  }
}

/** Milliseconds of the engine's process, all threads. */
function processorMs(): number {
  const fields = readFileSync(`/proc/${store.embedded.pid}/stat`, 'utf8').split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

/** Processor time per 100,000 points, background merges included, reading the source taken off. */
async function measureInserts(client: ClickhouseClient): Promise<Record<string, string>> {
  for (const [name, definition] of Object.entries({ ...variantTables, ...codecTables })) {
    await client.command(`CREATE TABLE ${name} ${definition}`);
  }
  const result: Record<string, string> = {};
  let base = 0;
  for (const name of [...Object.keys(variantTables), 'telemetry']) {
    const from = processorMs();
    const startedAt = performance.now();
    await copySegments(client, name);
    const elapsed = performance.now() - startedAt;
    await mergesDone(client, name);
    const used = ((processorMs() - from) * 100_000) / points;
    if (name === 'nowhere') base = used;
    else {
      const rate = (points / elapsed / 1000).toFixed(2);
      result[name] = `${(used - base).toFixed(0)} ms CPU per 100,000 points, ${rate} M points/s`;
    }
  }
  for (const name of Object.keys(codecTables)) await copySegments(client, name);
  return result;
}

async function copySegments(client: ClickhouseClient, table: string): Promise<void> {
  for (let at = 0; at < segments; at += 1) {
    const name = `3fa94c01-${String(at).padStart(11, '0')}`;
    const columns = table === 'without_segment' ? '* EXCEPT segment' : '*';
    const from = `SELECT ${columns} FROM source WHERE segment = '${name}'`;
    await client.command(`INSERT INTO ${table} ${from}`, {}, settings);
  }
}

async function mergesDone(client: ClickhouseClient, table: string): Promise<void> {
  for (let quiet = 0; quiet < 5; ) {
    const [row] = await client.query<{ n: string }>(
      `SELECT count() AS n FROM system.merges WHERE table = {table:String}`,
      { table },
    );
    quiet = row?.n === '0' ? quiet + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Median time of one INSERT of Native blocks over HTTP, by rows. */
async function measureNative(client: ClickhouseClient): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  await client.command('CREATE TABLE native AS telemetry');
  for (const rows of [1_000, 10_000, 100_000, 500_000]) {
    const stream = await client.stream(`SELECT * FROM source LIMIT ${rows} FORMAT Native`);
    const block: Uint8Array[] = [];
    for await (const chunk of stream) block.push(chunk as Uint8Array);
    const times: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      const startedAt = performance.now();
      await client.insertNative('native', block, { token: `${rows}-${round}`, rows });
      times.push(performance.now() - startedAt);
    }
    result[rows] = `${median(times).toFixed(1)} ms`;
  }
  return result;
}

async function measureQuestions(client: ClickhouseClient): Promise<Record<string, unknown>> {
  const [row] = await client.query<{ id: string }>(
    `SELECT toString(any(device_id)) AS id FROM source`,
  );
  const result: Record<string, unknown> = {};
  for (const [name, sql] of Object.entries(questionsOf(row?.id ?? ''))) {
    const times: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      const startedAt = performance.now();
      await client.query(sql, {}, { rowsMax: 100_000, secondsMax: 60 });
      times.push(performance.now() - startedAt);
    }
    result[name] = Number(median(times).toFixed(1));
  }
  return result;
}

/** All hours of the data at once, as after an outage. */
async function measureRollup(client: ClickhouseClient): Promise<Record<string, string>> {
  const startedAt = performance.now();
  const now = { ttlDays: 0, settleMs: -1000, runMs: 600_000 };
  const { pairs } = await runRollup(client, systemClock(), now);
  const seconds = (performance.now() - startedAt) / 1000;
  return { 'devices × hours': String(pairs), time: `${seconds.toFixed(2)} s` };
}

async function mergeAll(client: ClickhouseClient): Promise<void> {
  const tables = [
    ...Object.keys(variantTables),
    ...Object.keys(codecTables),
    'telemetry',
    'latest',
  ];
  const derived = ['telemetry_changed', 'telemetry_hourly'];
  for (const table of [...tables, ...derived].filter((name) => name !== 'nowhere')) {
    await client.command(`OPTIMIZE TABLE ${table} FINAL`, {}, { max_execution_time: '600' });
  }
}

async function measureBytes(client: ClickhouseClient): Promise<Record<string, unknown>> {
  const rows = await client.query<{ table: string; column: string; bytes: string }>(
    `SELECT table, column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns
     WHERE active AND database = 'sluice' GROUP BY table, column ORDER BY table, bytes DESC`,
  );
  const whole = await client.query<{ table: string; bytes: string }>(
    `SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts
     WHERE active AND database = 'sluice' GROUP BY table ORDER BY table`,
  );
  const result: Record<string, Record<string, number>> = {};
  const perPoint = (bytes: string): number => Number((Number(bytes) / points).toFixed(3));
  for (const { table, bytes } of whole) result[table] = { 'on disk': perPoint(bytes) };
  for (const { table, column, bytes } of rows) {
    const columns = result[table];
    if (columns !== undefined) columns[column] = perPoint(bytes);
  }
  return result;
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

function print(result: Record<string, unknown>): void {
  if (values.json) {
    console.log(JSON.stringify(result));
    return;
  }
  for (const [title, figures] of Object.entries(result)) {
    if (typeof figures !== 'object' || figures === null) console.log(`${title}: ${figures}`);
    else {
      console.log(`\n${title}`);
      for (const [name, value] of Object.entries(figures)) {
        console.log(
          `  ${name.padEnd(28)} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
        );
      }
    }
  }
}
