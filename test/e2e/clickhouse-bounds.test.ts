import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startClickhouse, type TestClickhouse } from '../support/clickhouse.js';
import { type Asked, Asker, type Question, until } from '../support/clickhouse-asker.js';

let store: TestClickhouse;
let asker: Asker;
const ask = (question: Question): Promise<Asked> => asker.ask(question);
const refused = (question: Question, status: number, code: number): Promise<string> =>
  asker.refused(question, status, code);

before(async () => {
  store = await startClickhouse();
  asker = new Asker(store);
});
after(async () => {
  await store.remove();
});

describe('bounds', () => {
  it('large results are sent as they come, or refused', async () => {
    const sql = 'SELECT number, toString(number) FROM numbers(2000000)';
    for (const format of ['TSV', 'JSONEachRow', 'CSV', 'RowBinary', 'Native']) {
      const response = await fetch(`${store.embedded.url}/?default_format=${format}`, {
        method: 'POST',
        body: sql,
        headers: asker.account(),
      });
      let bytes = 0;
      let lines = 0;
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (format !== 'RowBinary' && format !== 'Native')
          for (const byte of chunk) if (byte === 10) lines += 1;
      }
      assert.equal(response.status, 200);
      assert.ok(bytes > 25_000_000, `${format} ${bytes}`);
      if (format !== 'RowBinary' && format !== 'Native') assert.equal(lines, 2_000_000);
    }
    await refused({ body: `${sql} FORMAT JSON` }, 500, 396);
    await refused({ body: sql, parameters: { wait_end_of_query: '1' } }, 500, 396);
    await refused({ body: sql, parameters: { max_result_rows: '10' } }, 500, 396);
  });

  it('an error in the middle of a large result cuts the connection', async () => {
    const sql = 'SELECT number, throwIf(number = 1900000) FROM numbers(2000000)';
    const response = await fetch(store.embedded.url, {
      method: 'POST',
      body: sql,
      headers: asker.account(),
    });
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  });

  it('a query of a client that left is killed', async () => {
    const abort = new AbortController();
    const slow = fetch(store.embedded.url, {
      method: 'POST',
      body: 'SELECT count() FROM numbers(1e12)',
      headers: asker.account(),
      signal: abort.signal,
    });
    const running = `SELECT count() FROM system.processes
      WHERE query LIKE '%1e12%' AND query NOT LIKE '%processes%'`;
    await until(async () => (await ask({ body: running })).text === '1\n');
    abort.abort();
    await assert.rejects(slow);
    await until(async () => (await ask({ body: running })).text === '0\n');
  });

  it('too many queries wait, then are refused', async () => {
    const abort = new AbortController();
    const many = Array.from({ length: 75 }, () =>
      fetch(store.embedded.url, {
        method: 'POST',
        body: 'SELECT sleep(1)',
        headers: asker.account(),
        signal: abort.signal,
      }).then(
        async (response) => [response.status, await response.text()] as const,
        () => [0, ''] as const,
      ),
    );
    // Readers never stand in the way of an INSERT.
    await ask({ body: 'CREATE TABLE beside (a Int8) ENGINE = Memory' });
    const refusals = await Promise.race(many.slice(-5));
    assert.equal(refusals[0], 503);
    assert.match(refusals[1], /^Code: 202\. DB::Exception: Too many simultaneous queries/);
    assert.equal(
      (await ask({ parameters: { query: 'INSERT INTO beside VALUES' }, body: '(1)' })).status,
      200,
    );
    abort.abort();
    await Promise.all(many);
    await until(async () => (await ask({ body: 'SELECT 1' })).status === 200);
  });

  it('memory ends a query, not the process', async () => {
    await refused({ body: 'SELECT groupArray(number) FROM numbers(1000000000)' }, 500, 241);
    assert.equal(store.embedded.uncleanStops, 0);
  });
});
