import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { type Dependency, OpsServer } from '../../src/http/ops.js';

// What operators and their tools ask a node.

const metrics = createMetrics();
const journal = { name: 'journal', ok: true, sinceMs: 0, detail: 'writes', required: true };
const clickhouse = {
  name: 'clickhouse',
  ok: true,
  sinceMs: 1_700_000_000_000,
  detail: 'answers',
  required: false,
};
let dependencies: Dependency[] = [journal, clickhouse];
const ops = new OpsServer(
  silentLogger,
  metrics,
  { host: '127.0.0.1', port: 0 },
  { dependencies: () => dependencies },
);
let url = '';

before(async () => {
  url = `http://127.0.0.1:${(await ops.listen()).port}`;
});
after(() => ops.close());

async function check(path: string, status: number, type: string, body: string): Promise<void> {
  const response = await fetch(url + path);
  assert.equal(await response.text(), body);
  assert.equal(response.status, status);
  assert.equal(response.headers.get('content-type'), type);
  const head = await fetch(url + path, { method: 'HEAD' });
  assert.equal(await head.text(), '');
  assert.equal(head.status, status);
  assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(body)));
}

test('/livez answers while the event loop turns', async () => {
  await check('/livez', 200, 'text/plain; charset=utf-8', 'ok\n');
});

test('/readyz names every dependency, without a version', async () => {
  await check(
    '/readyz',
    200,
    'application/json',
    '{"ready":true,"dependencies":{' +
      '"journal":{"ok":true,"since":"1970-01-01T00:00:00.000Z","detail":"writes"},' +
      '"clickhouse":{"ok":true,"since":"2023-11-14T22:13:20.000Z","detail":"answers"}}}\n',
  );
});

test('/readyz stays 200 without ClickHouse and turns 503 without the journal', async () => {
  dependencies = [journal, { ...clickhouse, ok: false, detail: 'connection refused' }];
  const withoutClickhouse = await fetch(`${url}/readyz`);
  assert.equal(withoutClickhouse.status, 200);
  assert.match(await withoutClickhouse.text(), /"ready":true,.*"ok":false.*connection refused/);
  dependencies = [{ ...journal, ok: false, detail: 'the disk is full' }, clickhouse];
  const withoutJournal = await fetch(`${url}/readyz`);
  assert.equal(withoutJournal.status, 503);
  assert.match(await withoutJournal.text(), /"ready":false,.*the disk is full/);
  dependencies = [journal, clickhouse];
});

test('/metrics prints the registry with fresh gauges', async () => {
  metrics.messagesReceived.inc({ protocol: 'http', qos: '', kind: 'telemetry' }, 3);
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  assert.match(text, /^sluice_messages_received_total\{.*kind="telemetry"\} 3$/m);
  assert.match(text, /^sluice_memory_bytes [1-9]\d{6,}$/m);
  assert.match(text, /^sluice_eventloop_delay_seconds \d/m);
});

test('other paths and methods', async () => {
  assert.equal((await fetch(`${url}/api/v1/T1/telemetry`, { method: 'POST' })).status, 404);
  const refused = await fetch(`${url}/metrics`, { method: 'POST', body: 'x' });
  assert.equal(refused.status, 405);
  assert.equal(refused.headers.get('allow'), 'GET, HEAD, OPTIONS');
});
