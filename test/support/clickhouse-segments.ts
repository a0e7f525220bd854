import type { TestClickhouse } from './clickhouse.js';

/** A journal segment as the shipper would hold it: Native blocks and their row counts. */
export interface TestSegment {
  readonly name: string;
  readonly telemetry: { readonly rows: number; readonly blocks: readonly Uint8Array[] };
  readonly rejected: { readonly rows: number; readonly blocks: readonly Uint8Array[] };
}

/**
 * Segment number `at`, encoded by ClickHouse itself. Its rows lie in `months` partitions; a tenth
 * of them repeats a (device, key, ts) of the segment before, some repeat one of its own: the later
 * rows must win. Of the rejected messages every other one is there twice, equal in all.
 */
export async function makeSegment(
  store: TestClickhouse,
  at: number,
  rows: number,
  months: number,
): Promise<TestSegment> {
  const name = `3fa94c01-${String(at).padStart(11, '0')}`;
  const half = Math.floor(rows / 2);
  const block = (from: number, count: number): Promise<Uint8Array> =>
    native(store, telemetrySql(name, at, from, count, rows, months));
  const rejectedRows = 10;
  return {
    name,
    telemetry: { rows, blocks: [await block(0, half), await block(half, rows - half)] },
    rejected: {
      rows: rejectedRows,
      blocks: [await native(store, rejectedSql(name, rejectedRows))],
    },
  };
}

const typeColumn =
  "Enum8(\\'bool\\' = 1, \\'long\\' = 2, \\'double\\' = 3, \\'string\\' = 4, \\'json\\' = 5)";

function telemetrySql(
  name: string,
  at: number,
  from: number,
  count: number,
  rows: number,
  months: number,
): string {
  // Row i of segment n; a tenth takes the place of a row of segment n - 1.
  return `
WITH number + ${from} AS i,
     if(i % 10 = 0 AND ${at} > 0, ${at} - 1, ${at}) AS home,
     if(i % 100 = 7, i - 1, i) AS place
SELECT
    reinterpretAsUUID(toUInt128(place % 7 + 1)) AS device_id,
    toLowCardinality(concat('key', toString(intDiv(place, 7) % 5))) AS key,
    fromUnixTimestamp64Milli(
        toInt64(1600000000000) + toInt64(place % ${months}) * 2678400000
            + toInt64(home) * ${rows} + toInt64(place), 'UTC') AS ts,
    fromUnixTimestamp64Milli(toInt64(1790000000000) + ${at} * 1000 + intDiv(i, 8), 'UTC')
        AS received_at,
    CAST(2, '${typeColumn}') AS type,
    toFloat64(${at} * 1000000 + i) AS num,
    toInt64(0) AS long,
    '' AS text,
    toLowCardinality('${name}') AS segment
FROM numbers(${count})`;
}

/** Arrived today: older ones would be deleted by the table's TTL. */
function rejectedSql(name: string, rows: number): string {
  return `
SELECT
    reinterpretAsUUID(toUInt128(1)) AS device_id,
    toDateTime64(toStartOfDay(now('UTC')), 3, 'UTC') AS received_at,
    toLowCardinality('mqtt') AS protocol,
    concat('v1/', toString(intDiv(number, 2))) AS topic,
    'malformed JSON\n\nDROP TABLE telemetry' AS reason,
    unhex('00ff0a0a') AS payload,
    toLowCardinality('${name}') AS segment
FROM numbers(${rows})`;
}

async function native(store: TestClickhouse, sql: string): Promise<Uint8Array> {
  const response = await fetch(`${store.embedded.url}/?default_format=Native`, {
    method: 'POST',
    body: sql,
    headers: {
      'X-ClickHouse-User': store.embedded.user,
      'X-ClickHouse-Key': store.embedded.password,
    },
  });
  if (!response.ok) throw new Error(await response.text());
  return new Uint8Array(await response.arrayBuffer());
}
