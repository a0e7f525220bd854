import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { ClickhouseClient } from '../../src/clickhouse/client.js';
import { classify } from '../../src/clickhouse/errors.js';
import { NodeError } from '../../src/core/errors.js';
import {
  connectTo,
  migrateTo,
  startClickhouse,
  type TestClickhouse,
} from '../support/clickhouse.js';

let store: TestClickhouse;
let client: ClickhouseClient;

before(async () => {
  store = await startClickhouse();
  client = connectTo(store);
  await migrateTo(store);
});
after(async () => {
  await client.close();
  await store.remove();
});

describe('the client', () => {
  it('tells what is worth repeating', async () => {
    const verdict = async (run: Promise<unknown>): Promise<string> => {
      try {
        await run;
      } catch (error) {
        assert.ok(error instanceof NodeError);
        const { verdict, name, known } = classify(error);
        return `${error.code} ${verdict} ${name} ${known}`;
      }
      return 'fine';
    };
    const options = { token: 'v', rows: 1 };
    const junk = [Buffer.from('this is no block')];
    assert.equal(
      await verdict(client.insertNative('telemetry', junk, options)),
      'SLUICE_CLICKHOUSE_REFUSED reject CANNOT_READ_ALL_DATA true',
    );
    assert.equal(
      await verdict(client.insertNative('nowhere', junk, options)),
      'SLUICE_CLICKHOUSE_REFUSED retry UNKNOWN_TABLE true',
    );
    const broken = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x');
      throw new Error('the disk failed');
    })();
    assert.match(
      await verdict(client.insertNative('telemetry', broken, options)),
      /^SLUICE_CLICKHOUSE_UNREACHABLE retry/,
    );
    const nobody = connectTo(store, 'sluice', ['http://127.0.0.1:9']);
    assert.equal(
      await verdict(nobody.query('SELECT 1')),
      'SLUICE_CLICKHOUSE_UNREACHABLE retry ECONNREFUSED true',
    );
    assert.equal(await nobody.ping(), false);
    await nobody.close();
  });

  it('keeps results within bounds, or streams them', async () => {
    await assert.rejects(
      client.query('SELECT number FROM numbers(1000)', {}, { rowsMax: 10, secondsMax: 5 }),
      /396 /,
    );
    const stream = await client.stream('SELECT number FROM numbers(300000) FORMAT TSV');
    assert.equal((await text(stream)).split('\n').length, 300_001);
    const hostile = "'); DROP TABLE telemetry; --";
    assert.deepEqual(await client.query('SELECT {a:String} AS a', { a: hostile }), [
      { a: hostile },
    ]);
  });

  it('wants 24.8 at least', async () => {
    assert.match(await client.version(), /^26\./);
    const versions: Array<[string, boolean]> = [
      ['24.8.1.1', true],
      ['25.1.0.0', true],
      ['24.7.9.9', false],
      ['18.16.1', false],
    ];
    for (const [version, fine] of versions) {
      const old = await pretend(version);
      const { port } = old.address() as AddressInfo;
      const asking = connectTo(store, 'sluice', [`http://127.0.0.1:${port}`]);
      if (fine) assert.equal(await asking.version(), version);
      else await assert.rejects(asking.version(), { code: 'SLUICE_CLICKHOUSE_TOO_OLD' });
      await asking.close();
      old.close();
    }
  });

  it('goes on to the next address when one does not answer', async () => {
    const two = connectTo(store, 'sluice', ['http://127.0.0.1:9', store.embedded.url]);
    await assert.rejects(two.query('SELECT 1'), { code: 'SLUICE_CLICKHOUSE_UNREACHABLE' });
    assert.deepEqual(await two.query('SELECT 1 AS a'), [{ a: 1 }]);
    await two.close();
  });
});

/** A server that answers every query with its version. */
async function pretend(version: string): Promise<Server> {
  const server = createServer((_request, response) =>
    response.end(`${JSON.stringify({ version })}\n`),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
