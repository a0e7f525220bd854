import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { startClickhouse, type TestClickhouse } from '../support/clickhouse.js';
import { LedgerLoad } from '../support/ledger-load.js';
import { NodeProcess } from '../support/node-process.js';
import { TcpGate } from '../support/tcp-gate.js';

/**
 * The node against a ClickHouse server of its own, seen through a gate: away for half a minute, a
 * full disk meanwhile, and rows that the server refuses.
 */
let clickhouse: TestClickhouse;
let gate: TcpGate;
let url: string;

before(async () => {
  clickhouse = await startClickhouse();
  gate = new TcpGate(clickhouse.embedded.port);
  url = `http://127.0.0.1:${await gate.listen()}`;
});
after(async () => {
  await gate.close();
  await clickhouse.remove();
});

function newNode(database: string, ...flags: string[]): NodeProcess {
  const { user, password } = clickhouse.embedded;
  return new NodeProcess({
    flags: [
      `--clickhouse.url=${url}`,
      `--clickhouse.user=${user}`,
      `--clickhouse.password=${password}`,
      `--clickhouse.database=${database}`,
      ...flags,
    ],
  });
}

async function storedNumbers(database: string): Promise<Set<number>> {
  // One row, whatever their number: an answer has a maximum of rows.
  const text = await clickhouse.sql(
    `SELECT groupArray(toUInt32(num)) FROM ${database}.telemetry WHERE key = 'n' FORMAT TSV`,
  );
  return new Set<number>(JSON.parse(text));
}

/** Waits until all acknowledged messages are stored, then checks that none is there twice. */
async function verify(database: string, load: LedgerLoad, node: NodeProcess): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const stored = await storedNumbers(database);
    const missing = [...load.acked].filter((number) => !stored.has(number));
    if (missing.length === 0) break;
    assert(
      Date.now() < deadline,
      `${missing.length} acknowledged messages missing\n${node.output}`,
    );
    await sleep(200);
  }
  const counts = await clickhouse.sql(
    `SELECT count() = uniqExact(device_id, key, ts) FROM ${database}.telemetry FORMAT TSV`,
  );
  assert.equal(counts.trim(), '1', 'no message is stored twice');
}

async function readyz(node: NodeProcess): Promise<{ ready: boolean; status: number }> {
  const response = await fetch(`http://127.0.0.1:${node.ports.metrics}/readyz`);
  const { ready } = (await response.json()) as { ready: boolean };
  return { ready, status: response.status };
}

test('ClickHouse away for 30 s under load: acknowledgements go on, all is stored after', {
  timeout: 180_000,
}, async (t) => {
  const node = newNode('outage');
  try {
    await node.start();
    const { token } = await node.createDevice('ledger');
    const load = new LedgerLoad(token);
    load.start(node.ports, 3, 20, 2);
    await sleep(1000);
    gate.shut();
    const before = load.acked.size;
    await sleep(30_000);
    assert(load.acked.size > before + 1000, 'acknowledgements went on');
    assert.equal((await readyz(node)).ready, true, 'telemetry does not need ClickHouse');
    gate.open();
    await sleep(1000);
    load.stop();
    await verify('outage', load, node);
    t.diagnostic(`${load.acked.size} acknowledged and stored`);
  } finally {
    gate.open();
    await node.dispose();
  }
});

test('a node starts and acknowledges while ClickHouse is away', { timeout: 60_000 }, async () => {
  const node = newNode('absent');
  gate.shut();
  try {
    await node.start();
    const { token } = await node.createDevice('ledger');
    const load = new LedgerLoad(token);
    load.start(node.ports, 1, 5, 1);
    await sleep(500);
    load.stop();
    assert(load.acked.size > 0);
    gate.open();
    await assert.doesNotReject(async () => {
      // The database is made when the server is first reached.
      for (let tries = 0; ; tries++) {
        try {
          return await storedNumbers('absent');
        } catch (thrown) {
          if (tries > 200) throw thrown;
          await sleep(100);
        }
      }
    });
    await verify('absent', load, node);
  } finally {
    gate.open();
    await node.dispose();
  }
});

test('a full disk stops acknowledgements, and freeing it lets them go on', {
  timeout: 120_000,
}, async () => {
  const node = newNode('full', '--journal.segmentBytes=524288');
  const journal = join(node.dataDir, 'journal');
  mkdirSync(journal, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', journal]);
  try {
    await node.start(['--mqtt.packetBytesMax=65536', '--http.bodyBytesMax=65536']);
    const { token } = await node.createDevice('ledger');
    gate.shut();
    const load = new LedgerLoad(token);
    load.start(node.ports, 3, 50, 2);
    for (;;) {
      const { ready } = await readyz(node);
      if (!ready) break;
      await sleep(100);
    }
    assert.equal((await readyz(node)).status, 503);
    const response = await fetch(`http://127.0.0.1:${node.ports.http}/api/v1/${token}/telemetry`, {
      method: 'POST',
      body: '{"refused":1}',
    });
    assert.equal(response.status, 503);
    assert(Number(response.headers.get('retry-after')) > 0);
    load.stop();
    gate.open();
    while (!(await readyz(node)).ready) await sleep(100);
    load.start(node.ports, 2, 10, 1);
    const before = load.acked.size;
    await sleep(1500);
    load.stop();
    assert(load.acked.size > before, 'acknowledgements go on without a restart');
    await verify('full', load, node);
  } finally {
    gate.open();
    await node.stop('SIGTERM');
    execFileSync('umount', [journal]);
    await node.dispose();
  }
});

test('rows that ClickHouse refuses are set aside, their neighbours are stored', {
  timeout: 60_000,
}, async () => {
  const node = newNode('poison');
  try {
    await node.start();
    await clickhouse.sql(
      "ALTER TABLE poison.telemetry ADD CONSTRAINT healthy CHECK key != 'poison'",
    );
    const { token } = await node.createDevice('ledger');
    const client = await connectAsync(`mqtt://127.0.0.1:${node.ports.mqtt}`, { username: token });
    const publishes: Promise<unknown>[] = [];
    for (let n = 0; n < 500; n++) {
      const key = n % 250 === 7 ? 'poison' : 'n';
      const payload = `{"ts":${LedgerLoad.baseTs + n},"values":{"${key}":${n}}}`;
      publishes.push(client.publishAsync('v1/devices/me/telemetry', payload, { qos: 1 }));
    }
    await Promise.all(publishes);
    await client.endAsync();
    const deadline = Date.now() + 30_000;
    while ((await storedNumbers('poison')).size < 498) {
      assert(Date.now() < deadline, node.output);
      await sleep(200);
    }
    const kept = readdirSync(join(node.dataDir, 'journal', 'quarantine'));
    assert.equal(kept.filter((name) => name.endsWith('.native')).length, 2, kept.join(' '));
    const metrics = await (await fetch(`http://127.0.0.1:${node.ports.metrics}/metrics`)).text();
    assert.match(metrics, /sluice_journal_quarantined_total\{reason="refused"\} 2/);
  } finally {
    await node.dispose();
  }
});
