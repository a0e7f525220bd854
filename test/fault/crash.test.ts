import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LedgerLoad } from '../support/ledger-load.js';
import { NodeProcess } from '../support/node-process.js';
import { Random } from '../support/random.js';

/**
 * `kill -9` under load, then the ledger is compared with the table: every acknowledged message is
 * in ClickHouse once, and no message is in it twice.
 */
const rounds = 25;
const random = new Random();
const nodes: NodeProcess[] = [];

after(async () => {
  for (const node of nodes) await node.dispose();
});

async function newNode(...flags: string[]): Promise<NodeProcess> {
  const node = new NodeProcess({ flags });
  nodes.push(node);
  await node.start();
  return node;
}

/** Waits until every acknowledged message is stored, then checks that nothing is there twice. */
async function verify(node: NodeProcess, load: LedgerLoad): Promise<void> {
  const stored = new Set<number>();
  const deadline = Date.now() + 60_000;
  for (;;) {
    stored.clear();
    for (const number of await storedNumbers(node)) stored.add(number);
    const missing = [...load.acked].filter((number) => !stored.has(number));
    if (missing.length === 0) break;
    assert(
      Date.now() < deadline,
      `${missing.length} of ${load.acked.size} acknowledged messages are missing, ` +
        `first ${missing[0]}; seed ${random.seed}\n${node.output}`,
    );
    await sleep(250);
  }
  // Unacknowledged messages may be stored; whatever is stored is there once, in every view.
  const [counts] = await node.sql<Record<string, string | number>>(
    `SELECT count() AS rows, uniqExact(device_id, key, ts) AS messages,
       (SELECT count() FROM points WHERE key = 'n') AS points FROM telemetry WHERE key = 'n'`,
  );
  assert.equal(Number(counts?.['rows']), Number(counts?.['messages']), `seed ${random.seed}`);
  assert.equal(Number(counts?.['points']), Number(counts?.['messages']), `seed ${random.seed}`);
  assert(stored.size <= load.sent);
}

test(`kill -9 of the node at random moments, ${rounds} rounds`, { timeout: 400_000 }, async (t) => {
  t.diagnostic(`seed ${random.seed}`);
  const node = await newNode();
  const { token } = await node.createDevice('ledger');
  const load = new LedgerLoad(token);
  for (let round = 0; round < rounds; round++) {
    load.start(node.ports, 3, 20, 2);
    await sleep(random.between(50, 900));
    await node.stop('SIGKILL');
    load.stop();
    await node.start();
  }
  assert(load.acked.size > rounds * 10, `the load got through (${load.acked.size})`);
  await verify(node, load);
  t.diagnostic(`${load.sent} sent, ${load.acked.size} acknowledged and stored`);
});

test('kill -9 of the embedded ClickHouse under load', { timeout: 200_000 }, async (t) => {
  const node = await newNode();
  const { token } = await node.createDevice('ledger');
  const load = new LedgerLoad(token);
  load.start(node.ports, 3, 20, 2);
  for (let round = 0; round < 10; round++) {
    await sleep(random.between(200, 1500));
    const before = load.acked.size;
    for (const pid of childrenOf(node.pid)) process.kill(pid, 'SIGKILL');
    await sleep(300);
    assert(load.acked.size > before, 'acknowledgements go on without ClickHouse');
  }
  load.stop();
  await verify(node, load);
  t.diagnostic(`seed ${random.seed}: ${load.acked.size} acknowledged and stored`);
});

test('SIGTERM under load: exit code 0, nothing lost', { timeout: 120_000 }, async () => {
  const node = await newNode('--drainSeconds=10');
  const { token } = await node.createDevice('ledger');
  const load = new LedgerLoad(token);
  for (let round = 0; round < 3; round++) {
    load.start(node.ports, 3, 20, 2);
    await sleep(random.between(200, 900));
    assert.equal(await node.stop('SIGTERM'), 0, node.output);
    load.stop();
    await node.start();
  }
  await verify(node, load);
});

/** What is stored by now; nothing while the embedded ClickHouse is being restarted. */
async function storedNumbers(node: NodeProcess): Promise<number[]> {
  try {
    // One row, whatever their number: an answer has a maximum of rows.
    const [row] = await node.sql<{ n: (string | number)[] }>(
      "SELECT groupArray(toUInt32(num)) AS n FROM telemetry WHERE key = 'n'",
    );
    return (row?.n ?? []).map(Number);
  } catch (thrown) {
    assert.match(String(thrown), /SLUICE_CLICKHOUSE_UNREACHABLE/);
    return [];
  }
}

/**
 * Process ids of the direct children: the embedded ClickHouse, none while it is being restarted.
 */
function childrenOf(pid: number): number[] {
  const found = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  return found.stdout.split('\n').filter(Boolean).map(Number);
}
