import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
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

describe('INSERTs with data', () => {
  const poison = 'x\n\nDROP TABLE poison;\n\nDROP DATABASE sluice';

  it('never run what the data says', async () => {
    await ask({ body: 'CREATE TABLE poison (a UInt32, s String) ENGINE = MergeTree ORDER BY a' });
    const csv = `1,"${poison}"\n`;
    const good: Array<[format: string, body: string | Uint8Array]> = [
      ['CSV', csv],
      ['JSONEachRow', `{"a":1,"s":${JSON.stringify(poison)}}\n\n{"a":2,"s":"y"}`],
      ['Values', `(1,'${poison}')`],
      ['TabSeparated', `1\t${poison.replaceAll('\n', '\\n')}\n`],
      ['RowBinary', Buffer.concat([Buffer.from([1, 0, 0, 0, poison.length]), Buffer.from(poison)])],
      ['Native', nativeBlock(poison)],
    ];
    for (const [format, body] of good) {
      for (const inUrl of [true, false]) {
        const head = `INSERT INTO poison FORMAT ${format}`;
        const answer = inUrl
          ? await ask({ parameters: { query: head }, body })
          : await ask({ body: Buffer.concat([Buffer.from(`${head}\n`), Buffer.from(body)]) });
        assert.equal(answer.status, 200, `${format} ${answer.text}`);
      }
    }
    const rows = await ask({
      body: "SELECT count(), countIf(s LIKE 'x\\n\\nDROP%sluice') FROM poison",
    });
    assert.equal(rows.text, '14\t12\n');
    const bad = [
      '1,a\n\nDROP TABLE poison\n',
      '{"a":1}\n\nDROP TABLE poison\n',
      '\n\nDROP TABLE poison',
    ];
    for (const format of ['CSV', 'JSONEachRow', 'Values', 'TabSeparated', 'Native']) {
      for (const body of bad)
        await ask({ parameters: { query: `INSERT INTO poison FORMAT ${format}` }, body });
    }
    await refused(
      {
        body:
          "INSERT INTO poison SELECT * FROM input('a UInt32, s String') FORMAT CSV\n1,a\n\n" +
          'DROP TABLE poison',
      },
      501,
      48,
    );
    assert.equal((await ask({ body: 'EXISTS TABLE poison' })).text, '1\n');
  });

  it('say how many rows they wrote', async () => {
    await ask({ body: 'CREATE TABLE written (a UInt32) ENGINE = MergeTree ORDER BY a' });
    const answer = await ask({
      parameters: { query: 'INSERT INTO written FORMAT TSV' },
      body: '1\n2\n3\n',
    });
    assert.equal(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '').written_rows, '3');
    const empty = await ask({ parameters: { query: 'INSERT INTO written FORMAT TSV' }, body: '' });
    assert.equal(empty.status, 200);
    await refused(
      { parameters: { query: 'INSERT INTO nowhere FORMAT TSV' }, body: '1\n' },
      404,
      60,
    );
    await refused(
      { parameters: { query: 'INSERT INTO written FORMAT Native' }, body: 'no block' },
      500,
      33,
    );
    await refused(
      { parameters: { query: 'INSERT INTO written FORMAT CSV' }, body: 'no number' },
      400,
      117,
    );
  });

  it('are taken compressed, and refused when that is damaged', async () => {
    await ask({ body: 'CREATE TABLE squeezed (a UInt32) ENGINE = MergeTree ORDER BY a' });
    const parameters = { query: 'INSERT INTO squeezed FORMAT TSV' };
    const headers = { ...asker.account(), 'Content-Encoding': 'gzip' };
    const body = gzipSync('1\n'.repeat(100_000));
    assert.equal((await ask({ parameters, headers, body })).status, 200);
    await refused({ parameters, headers, body: body.subarray(0, 100) }, 500, 354);
    await refused({ parameters, headers, body: 'not gzip' }, 500, 354);
    await refused(
      { parameters, headers: { ...headers, 'Content-Encoding': 'lz4' }, body },
      500,
      89,
    );
    assert.equal((await ask({ body: 'SELECT count() FROM squeezed' })).text, '100000\n');
  });

  it('store nothing of a body that is cut off', async () => {
    await ask({ body: 'CREATE TABLE cut (a UInt32) ENGINE = MergeTree ORDER BY a' });
    const url = `${store.embedded.url}/?query=${encodeURIComponent('INSERT INTO cut FORMAT TSV')}`;
    for (const headers of [{ 'Content-Length': '1000' }, { 'Transfer-Encoding': 'chunked' }]) {
      await new Promise<void>((resolve) => {
        const upload = request(url, {
          method: 'POST',
          headers: { ...asker.account(), ...headers },
        });
        upload.on('error', () => resolve());
        upload.write('1\n2\n', () => setImmediate(() => upload.destroy(new Error('cut'))));
      });
    }
    assert.equal((await ask({ body: 'SELECT count() FROM cut' })).text, '0\n');
  });
});

/** One block of (a UInt32, s String): columns, rows, then name, type and values of each column. */
function nativeBlock(text: string): Buffer {
  const word = (s: string): Buffer => Buffer.concat([Buffer.from([s.length]), Buffer.from(s)]);
  return Buffer.concat([
    Buffer.from([2, 1]),
    word('a'),
    word('UInt32'),
    Buffer.from([1, 0, 0, 0]),
    word('s'),
    word('String'),
    word(text),
  ]);
}
