import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startClickhouse, type TestClickhouse } from '../support/clickhouse.js';
import { type Asked, Asker, type Question } from '../support/clickhouse-asker.js';

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

describe('the account', () => {
  const select = { body: 'SELECT 1' };
  const password = (): string => store.embedded.password;

  it('is asked for in each of ClickHouse’s ways', async () => {
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    const ways: Question[] = [
      { headers: { 'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': password() } },
      { headers: { 'X-ClickHouse-Key': password() } },
      { headers: { Authorization: basic(`default:${password()}`) } },
      { headers: {}, parameters: { user: 'default', password: password() } },
    ];
    for (const way of ways) assert.equal((await ask({ ...select, ...way })).text, '1\n');
    const both = { 'X-ClickHouse-Key': password(), Authorization: basic(`default:${password()}`) };
    await refused({ ...select, headers: both }, 400, 36);
  });

  it('is refused when it is wrong', async () => {
    const challenge = await ask({ ...select, headers: {} });
    assert.equal(challenge.status, 401);
    assert.equal(
      challenge.headers.get('www-authenticate'),
      'Basic realm="ClickHouse server HTTP API"',
    );
    await refused({ ...select, headers: {} }, 401, 194);
    await refused({ ...select, headers: { 'X-ClickHouse-Key': 'wrong' } }, 403, 516);
    await refused(
      { ...select, headers: { 'X-ClickHouse-User': 'x', 'X-ClickHouse-Key': password() } },
      403,
      516,
    );
    await refused({ ...select, headers: {}, parameters: { password: 'wrong' } }, 403, 516);
  });

  it('is not needed for /ping', async () => {
    const ping = await ask({ method: 'GET', path: '/ping', headers: {} });
    assert.deepEqual([ping.status, ping.text], [200, 'Ok.\n']);
    assert.equal((await ask({ method: 'GET', path: '/other', headers: {} })).status, 404);
  });
});

describe('queries', () => {
  it('come in the URL, in the body, or in both', async () => {
    assert.equal((await ask({ method: 'GET', parameters: { query: 'SELECT 1' } })).text, '1\n');
    assert.equal((await ask({ parameters: { query: 'SELECT 1' } })).text, '1\n');
    assert.equal((await ask({ parameters: { query: 'SELECT' }, body: '2' })).text, '2\n');
    assert.equal((await ask({ body: 'SELECT 3;' })).text, '3\n');
  });

  it('name a format, or have one', async () => {
    const json = await ask({
      body: 'SELECT 1 AS a',
      parameters: { default_format: 'JSONEachRow' },
    });
    assert.equal(json.text, '{"a":1}\n');
    assert.equal(json.headers.get('content-type'), 'application/x-ndjson; charset=UTF-8');
    assert.equal(json.headers.get('x-clickhouse-format'), 'JSONEachRow');
    const named = await ask({ body: 'SELECT 1 AS a FORMAT CSV' });
    assert.equal(named.headers.get('content-type'), 'text/csv; charset=UTF-8');
    assert.equal(JSON.parse(named.headers.get('x-clickhouse-summary') ?? '').result_rows, '1');
    assert.equal(named.headers.get('x-clickhouse-timezone'), 'UTC');
    const id = await ask({ body: 'SELECT 1', parameters: { query_id: 'mine' } });
    assert.equal(id.headers.get('x-clickhouse-query-id'), 'mine');
  });

  it('take parameters and keep them apart from the SQL', async () => {
    const hostile = "'; DROP TABLE x; --";
    const answer = await ask({
      body: 'SELECT {a:String}, {b:UInt8}',
      parameters: { param_a: hostile, param_b: '7' },
    });
    assert.equal(answer.text, "\\'; DROP TABLE x; --\t7\n");
    await refused({ body: 'SELECT {a:String}' }, 500, 456);
  });

  it('read only with GET', async () => {
    await refused(
      { method: 'GET', parameters: { query: 'CREATE TABLE g (a Int8) ENGINE = Memory' } },
      500,
      164,
    );
    await refused(
      { method: 'GET', parameters: { query: 'INSERT INTO system.one VALUES (1)' } },
      500,
      164,
    );
  });

  it('are answered with ClickHouse’s errors', async () => {
    await refused({ body: 'SELEC 1' }, 400, 62);
    await refused({ body: '' }, 400, 62);
    await refused({ body: 'SELECT 1; SELECT 2' }, 400, 62);
    await refused({ body: 'SELECT * FROM nowhere' }, 404, 60);
    await refused({ body: 'SELECT 1', parameters: { database: 'nowhere' } }, 404, 81);
    await refused({ body: 'SELECT 1', parameters: { no_such_setting: '1' } }, 404, 115);
    await refused({ body: 'SELECT 1', parameters: { session_id: 'x' } }, 501, 48);
    await refused(
      {
        body: 'x',
        headers: { ...asker.account(), 'Content-Type': 'multipart/form-data; boundary=x' },
      },
      501,
      48,
    );
    await refused({ body: 'x', parameters: { decompress: '1' } }, 501, 48);
    await refused(
      { body: 'SELECT count() FROM numbers(1e12)', parameters: { max_execution_time: '0.2' } },
      408,
      159,
    );
    await refused({ body: `SELECT '${'x'.repeat(1_100_000)}'` }, 413, 229);
  });
});

describe('settings of a request', () => {
  const shown =
    "SELECT getSetting('max_threads'), getSetting('async_insert'), getSetting('max_memory_usage')";

  it('never reach the next one', async () => {
    const fresh = (await ask({ body: shown })).text;
    assert.match(fresh, /^\d+\tfalse\t\d+\n$/);
    for (let round = 0; round < 20; round += 1) {
      const changed = await ask({
        body: shown,
        parameters: { max_threads: '1', async_insert: '1', max_memory_usage: '1000000' },
      });
      assert.equal(changed.text, '1\ttrue\t1000000\n');
      assert.equal((await ask({ body: shown })).text, fresh);
    }
    await ask({ body: 'SET max_threads = 1' });
    await ask({ body: 'USE system' });
    assert.equal((await ask({ body: shown })).text, fresh);
    assert.equal((await ask({ body: 'SELECT currentDatabase()' })).text, 'sluice\n');
  });

  it('nor do parameters', async () => {
    assert.equal(
      (await ask({ body: 'SELECT {a:String}', parameters: { param_a: 'secret' } })).text,
      'secret\n',
    );
    for (let round = 0; round < 10; round += 1)
      await refused({ body: 'SELECT {a:String}' }, 500, 456);
  });

  it('nor a token to the next insert', async () => {
    await ask({
      body: `CREATE TABLE tokens (a Int8) ENGINE = MergeTree ORDER BY a
        SETTINGS non_replicated_deduplication_window = 100`,
    });
    const parameters = { query: 'INSERT INTO tokens FORMAT CSV', insert_deduplication_token: 'x' };
    for (const body of ['1', '2']) await ask({ parameters, body });
    for (const body of ['3', '4'])
      await ask({ parameters: { query: 'INSERT INTO tokens FORMAT CSV' }, body });
    assert.equal(
      (await ask({ body: 'SELECT groupArray(a) FROM (SELECT a FROM tokens ORDER BY a)' })).text,
      '[1,3,4]\n',
    );
  });

  it('cannot lift the limits', async () => {
    await refused({ body: 'SELECT 1', parameters: { max_execution_time: '100000' } }, 500, 452);
    await refused({ body: 'SELECT 1 SETTINGS max_memory_usage = 100000000000' }, 500, 452);
  });
});

describe('what could reach beyond the data', () => {
  it('is refused', async () => {
    const denied = [
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
      "SELECT * FROM url('file:///etc/hostname', 'LineAsString')",
      'SELECT * FROM default.`/etc/hostname`',
      "CREATE TABLE f (a String) ENGINE = File(CSV, '/tmp/x')",
      "CREATE DATABASE f ENGINE = Filesystem('/')",
      "INSERT INTO FUNCTION file('/tmp/sluice-x', 'CSV', 'a Int8') SELECT 1",
      "SELECT * FROM remote('127.0.0.1', system.one)",
      'CREATE USER u',
      'SYSTEM SHUTDOWN',
      'SYSTEM KILL',
    ];
    for (const body of denied) await refused({ body }, 403, 497);
    await refused({ body: "SELECT * FROM '/etc/hostname'" }, 404, 60);
    await refused({ body: "COPY t FROM '/etc/hostname'" }, 400, 62);
    await refused({ body: "SELECT 1 INTO OUTFILE '/tmp/sluice-x'" }, 500, 358);
    await refused({ body: "INSERT INTO t FROM INFILE '/etc/hostname' FORMAT CSV" }, 501, 48);
  });
});
