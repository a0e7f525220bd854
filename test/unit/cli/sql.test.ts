import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DataDirectory, openDataDirectory } from '../../../src/registry/data-dir.js';
import { runIn } from '../../support/run-program.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-cli-sql-'));
const dataDir = join(directory, 'data');

/** What the server that stands for ClickHouse was asked last, and what it answers. */
let asked: { message: IncomingMessage; body: string };
let answer = { status: 200, format: '', body: '' };

const server = createServer(async (message, response) => {
  let body = '';
  for await (const chunk of message.setEncoding('utf8')) body += chunk;
  asked = { message, body };
  if (answer.format !== '') response.setHeader('X-ClickHouse-Format', answer.format);
  response.writeHead(answer.status).end(answer.body);
});
let port = 0;
let node: DataDirectory;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  node = await openDataDirectory(dataDir);
  writeFileSync(join(dataDir, 'clickhouse.password'), 'geheim\n');
  const ports = { clickhouse: port };
  node.writeNodeFile({ pid: process.pid, version: '0', startedAt: 1, ports, hosts: {} });
});
after(() => {
  server.close();
  node.close();
  rmSync(directory, { recursive: true });
});

const run = (...argv: string[]) => runIn(directory, argv);

test('the embedded ClickHouse of the running node is asked', async () => {
  answer = { status: 200, format: '', body: '{"long":9007199254740993}\n{"long":-1}\n' };
  const { code, stdout } = await run('sql', 'SELECT 1', '--json');
  assert.equal(code, 0);
  assert.equal(stdout, '{"long":9007199254740993}\n{"long":-1}\n');
  assert.equal(asked.body, 'SELECT 1');
  assert.equal(asked.message.method, 'POST');
  // default:geheim
  assert.equal(asked.message.headers.authorization, 'Basic ZGVmYXVsdDpnZWhlaW0=');
  assert.equal(
    asked.message.url,
    '/?database=sluice&default_format=JSONEachRow&wait_end_of_query=1' +
      '&output_format_json_quote_64bit_integers=0',
  );
});

test('without --json rows are a table', async () => {
  const body = '["key","long"]\n["a","9007199254740993"]\n["line\\nbreak","ᴺᵁᴸᴸ"]\n';
  answer = { status: 200, format: 'JSONCompactStringsEachRowWithNames', body };
  const { stdout } = await run('sql', 'SELECT 1');
  assert.equal(stdout, 'key          long\na            9007199254740993\nline\\nbreak  ᴺᵁᴸᴸ\n');
});

test('a long table says that it was cut', async () => {
  answer = { status: 200, format: '', body: `["n"]\n${'["1"]\n'.repeat(1001)}` };
  const { stdout } = await run('sql', 'SELECT 1');
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 1002);
  assert.equal(lines.at(-1), '… and more than 1000 rows: add a LIMIT, or use --json');
});

test('a statement with a format of its own is answered in it', async () => {
  answer = { status: 200, format: 'CSV', body: '1,"2"\n' };
  const { stdout } = await run('sql', 'SELECT 1, 2 FORMAT CSV');
  assert.equal(stdout, '1,"2"\n');
});

test('a statement without an answer prints nothing', async () => {
  answer = { status: 200, format: '', body: '' };
  assert.deepEqual(await run('sql', 'OPTIMIZE TABLE t'), { code: 0, stdout: '', stderr: '' });
});

test('what ClickHouse refuses is told in its words', async () => {
  answer = { status: 404, format: '', body: 'Code: 60. DB::Exception: Unknown table x.\n' };
  const { code, stdout, stderr } = await run('sql', 'SELECT * FROM x');
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.equal(
    stderr,
    'SLUICE_CLICKHOUSE_REFUSED: cannot run the statement: ' +
      'Code: 60. DB::Exception: Unknown table x.\n',
  );
});

test('a configured server is asked in place of the embedded one', async () => {
  answer = { status: 200, format: '', body: '' };
  const url = `http://127.0.0.1:${port}/proxy`;
  await run('sql', 'SELECT 1', '--clickhouse.url', url, '--clickhouse.user', 'me', '--json');
  assert.equal(asked.message.headers.authorization, 'Basic bWU6'); // me:
  assert.match(asked.message.url ?? '', /^\/proxy\?database=sluice&/);
});

test('no node, no answer, no right to the password: one line with the remedy', async () => {
  const absent = await run('sql', 'SELECT 1', '--data-dir', 'absent');
  assert.equal(absent.code, 1);
  assert.equal(
    absent.stderr,
    'SLUICE_NODE_NOT_RUNNING: cannot query ClickHouse: ' +
      `no node with an embedded ClickHouse runs on ${directory}/absent. ` +
      'Start it with `sluice start`, name its --data-dir, or give --clickhouse.url.\n',
  );
  const closed = await run('sql', 'SELECT 1', '--clickhouse.url', 'http://127.0.0.1:1');
  assert.equal(closed.code, 1);
  assert.equal(
    closed.stderr,
    'SLUICE_CLICKHOUSE_UNREACHABLE: cannot reach ClickHouse at http://127.0.0.1:1: ' +
      'connect ECONNREFUSED 127.0.0.1:1. Check that it runs and that the address is right.\n',
  );
  rmSync(join(dataDir, 'clickhouse.password'));
  const unreadable = await run('sql', 'SELECT 1');
  assert.equal(unreadable.code, 1);
  assert.match(unreadable.stderr, /Run the command as the user that runs the node\.\n$/);
});
