import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FuzzTally, HttpFuzzer } from '../support/http-fuzzer.js';
import type { IngestState } from '../support/http-ingest.js';
import { Random } from '../support/random.js';

// 200,000 fuzzed bodies against the HTTP door with workers and journal behind it, in a process of
// its own: it must not end, grow, answer wrongly, or keep an honest device waiting.

const bodies = 200_000;
const connections = 96;
const mib = 1024 * 1024;

async function ask(child: ChildProcess): Promise<IngestState> {
  child.send('state');
  return (await heard(child)) as IngestState;
}

/** The child's next message; its end before that is a failure. */
async function heard(child: ChildProcess): Promise<unknown> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    assert.fail(`the server ended: ${code}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
    return message;
  } finally {
    ended.catch(() => {}); // aborted now
    waiting.abort();
  }
}

/** Posts a sound message every few milliseconds until told to stop; returns the waits, sorted. */
async function beHonest(port: number, active: () => boolean): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const waits: number[] = [];
  while (active()) {
    const started = performance.now();
    const status = await new Promise((resolve, reject) => {
      const path = '/api/v1/T0/telemetry';
      const options = { port, path, method: 'POST', agent, timeout: 10_000 };
      const request = http.request(options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      request.on('timeout', () => request.destroy());
      request.on('error', reject);
      request.end('{"temperature":25.31}');
    });
    assert.equal(status, 200);
    waits.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  agent.destroy();
  return waits.sort((a, b) => a - b);
}

test('200,000 fuzzed bodies', async (t) => {
  const random = new Random();
  t.diagnostic(`SLUICE_TEST_SEED=${random.seed}`);
  const file = fileURLToPath(new URL('../support/http-ingest.js', import.meta.url));
  const child = fork(file, [String(connections)], { execArgv: ['--expose-gc'], stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  child.stderr?.on('data', (chunk) => {
    printed += chunk;
  });
  let exitCode: number | null | undefined;
  child.on('exit', (code) => {
    exitCode = code;
  });
  const { port } = (await heard(child)) as { port: number };

  const answers = new Map<number, number>();
  const tally: FuzzTally = { bodies: 0, answers, ended: 0, unanswered: 0, offences: [] };
  let busy = true;
  const honest = beHonest(port, () => busy);
  honest.catch(() => {}); // awaited below, after what would explain it
  const rounds: IngestState[] = [];
  const started = performance.now();
  for (const share of [0.25, 0.5, 0.75, 1]) {
    const fuzzers = Array.from({ length: connections }, (_, index) => {
      const own = new Random(random.between(0, 2 ** 31));
      return new HttpFuzzer(port, own, `T${index}`, tally, bodies * share);
    });
    await Promise.all(fuzzers.map((fuzzer) => fuzzer.run()));
    rounds.push(await ask(child));
  }
  const seconds = (performance.now() - started) / 1000;
  busy = false;
  assert.deepEqual(tally.offences, []);
  const waits = await honest;
  while ((await ask(child)).batchesInFlight > 0) await new Promise((r) => setTimeout(r, 10));
  const last = await ask(child);
  child.send('stop');
  if (exitCode === undefined) await once(child, 'exit');

  const p99 = waits[Math.floor(waits.length * 0.99)] ?? 0;
  t.diagnostic(`${seconds.toFixed(1)} s, answers ${JSON.stringify([...answers])}`);
  t.diagnostic(`${tally.ended} connections ended, honest p99 ${p99.toFixed(1)} ms`);
  t.diagnostic(`resident MiB ${rounds.map(({ rssBytes }) => Math.round(rssBytes / mib))}`);
  assert.equal(exitCode, 0);
  assert.equal(printed, '');
  assert.equal(last.bodiesBytes, 0);
  assert.ok((answers.get(200) ?? 0) > bodies / 10 && (answers.get(400) ?? 0) > bodies / 10);
  assert.ok(last.received >= (answers.get(200) ?? 0) + waits.length);
  const [first, , , end] = rounds;
  assert.ok(first !== undefined && end !== undefined);
  assert.ok(end.heapBytes - first.heapBytes < 8 * mib, 'the heap grows');
  assert.ok(end.rssBytes - first.rssBytes < 64 * mib, 'the resident memory grows');
  // A few milliseconds on an idle machine; this is about being served at all.
  assert.ok(p99 < 1000, `an honest device waited ${p99} ms`);
});
