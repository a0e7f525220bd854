import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { createClient } from '@clickhouse/client';
import { startClickhouse, type TestClickhouse } from '../support/clickhouse.js';
import { Asker } from '../support/clickhouse-asker.js';

const run = promisify(execFile);
let store: TestClickhouse;
let asker: Asker;

before(async () => {
  store = await startClickhouse();
  asker = new Asker(store);
});
after(async () => {
  await store.remove();
});

describe('other people’s tools', () => {
  it('curl', async () => {
    const url = store.embedded.url;
    const user = `default:${store.embedded.password}`;
    const get = await run('curl', ['-sS', '-u', user, `${url}/?query=SELECT+1`]);
    assert.equal(get.stdout, '1\n');
    const post = await run('curl', [
      '-sS',
      '-u',
      user,
      url,
      '-d',
      'SELECT 1 AS a FORMAT JSONEachRow',
    ]);
    assert.equal(post.stdout, '{"a":1}\n');
    await run('curl', [
      '-sS',
      '-u',
      user,
      url,
      '-d',
      'CREATE TABLE curled (a Int8) ENGINE = Memory',
    ]);
    await run('curl', [
      '-sS',
      '-u',
      user,
      `${url}/?query=INSERT+INTO+curled+VALUES`,
      '-d',
      '(1),(2)',
    ]);
    const sum = await run('curl', ['-sS', '-u', user, url, '-d', 'SELECT sum(a) FROM curled']);
    assert.equal(sum.stdout, '3\n');
    const zip = await run('curl', [
      '-sS',
      '--compressed',
      '-u',
      user,
      `${url}/?enable_http_compression=1`,
      '-d',
      'SELECT 1',
    ]);
    assert.equal(zip.stdout, '1\n');
  });

  it('a client that wants gzip gets it', async () => {
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      const url = `${store.embedded.url}/?enable_http_compression=1&query=SELECT+1`;
      const asked = request(
        url,
        { headers: { ...asker.account(), 'Accept-Encoding': 'gzip' } },
        (response) => {
          assert.equal(response.headers['content-encoding'], 'gzip');
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve(Buffer.concat(chunks)));
        },
      );
      asked.on('error', reject);
      asked.end();
    });
    assert.equal(gunzipSync(bytes).toString(), '1\n');
  });

  it('@clickhouse/client', async () => {
    const client = createClient({
      url: store.embedded.url,
      password: store.embedded.password,
      database: 'sluice',
      compression: { request: true, response: true },
    });
    assert.equal((await client.ping()).success, true);
    assert.equal((await client.ping({ select: true })).success, true);
    await client.command({
      query: 'CREATE TABLE official (a UInt64, s String) ENGINE = MergeTree ORDER BY a',
    });
    await client.insert({
      table: 'official',
      values: [{ a: 1, s: poisonText }],
      format: 'JSONEachRow',
    });
    await client.insert({ table: 'official', values: [[2, 'b']], columns: ['a', 's'] });
    const rows = await client.query({
      query: 'SELECT * FROM official WHERE a <= {most:UInt64} ORDER BY a',
      query_params: { most: 2 },
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
    });
    assert.deepEqual(await rows.json(), [
      { a: '1', s: poisonText },
      { a: '2', s: 'b' },
    ]);
    await assert.rejects(client.query({ query: 'SELECT * FROM nowhere' }), {
      code: '60',
      type: 'UNKNOWN_TABLE',
    });
    await client.close();
  });
});

const poisonText = 'a\n\nDROP TABLE official';
