import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { Journal } from '../../src/journal/journal.js';
import { journalDefaults } from '../../src/journal/options.js';
import { Random } from '../support/random.js';
import { textsOf } from '../unit/journal/world.js';

const rounds = Number(process.env['SLUICE_TEST_ROUNDS'] ?? 8);
const writer = fileURLToPath(new URL('./journal-writer.js', import.meta.url));

/** What ClickHouse would hold: a segment counts once, however often it is stored. */
class Ledger {
  readonly acknowledged = new Set<number>();
  readonly stored = new Map<string, string>();

  read(line: string): void {
    const [kind, first = '', numbers = ''] = line.split(' ');
    if (kind === 'a') this.acknowledged.add(Number(first));
    if (kind === 's') this.store(first, numbers);
  }

  store(segment: string, numbers: string): void {
    const before = this.stored.get(segment);
    if (before !== undefined) assert.equal(numbers, before, `${segment} never changes`);
    this.stored.set(segment, numbers);
  }
}

async function writeAndKill(directory: string, from: number, afterMs: number, ledger: Ledger) {
  const child = spawn(process.execPath, [writer, directory, `${from}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  await once(child.stdout, 'data'); // it is ready
  await wait(afterMs);
  child.kill('SIGKILL');
  const [, signal] = await ended;
  assert.equal(signal, 'SIGKILL', 'the writer did not end by itself');
  const lines = Buffer.concat(chunks).toString().split('\n');
  for (const line of lines.slice(0, -1)) ledger.read(line);
}

async function drain(directory: string, ledger: Ledger): Promise<void> {
  const options = { ...journalDefaults(directory), segmentBytes: 512 * 1024 };
  const journal = await Journal.open(systemClock(), silentLogger, createMetrics(), options);
  while (journal.counters().segmentsWaiting > 0) {
    const segment = await journal.nextClosed();
    assert.ok(segment !== undefined);
    assert.equal(segment.damages, 0);
    const numbers: number[] = [];
    for (const text of await textsOf(segment)) {
      numbers.push(Number.parseInt(text, 10));
      assert.equal(text.slice(20, 40), segment.name);
    }
    ledger.store(segment.name, numbers.join(','));
    await journal.release(segment);
  }
  await journal.close();
}

test(`journal: ${rounds} kills of a writer lose and double nothing`, async (t) => {
  const random = new Random();
  t.diagnostic(`SLUICE_TEST_SEED=${random.seed}`);
  const directory = mkdtempSync(join(tmpdir(), 'sluice-kill-'));
  try {
    const ledger = new Ledger();
    for (let round = 0; round < rounds; round += 1) {
      await writeAndKill(directory, round * 1_000_000, random.between(20, 500), ledger);
    }
    await drain(directory, ledger);
    const times = new Map<number, number>();
    for (const numbers of ledger.stored.values()) {
      for (const text of numbers.split(',')) {
        times.set(Number(text), (times.get(Number(text)) ?? 0) + 1);
      }
    }
    t.diagnostic(`${ledger.acknowledged.size} acknowledged, ${ledger.stored.size} segments`);
    for (const number of ledger.acknowledged) assert.equal(times.get(number), 1, `${number}`);
    for (const [number, count] of times) assert.equal(count, 1, `${number}`);
    assert.ok(ledger.acknowledged.size > rounds * 10, 'the writer wrote');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
