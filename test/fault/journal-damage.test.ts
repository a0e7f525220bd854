import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSegmentFile } from '../../src/journal/segment-name.js';
import { FaultFs } from '../support/fault-fs.js';
import { Random } from '../support/random.js';
import { appendAndWait, directory, drain, metricValue, openWorld } from '../unit/journal/world.js';

const directories = Number(process.env['SLUICE_TEST_DIRECTORIES'] ?? 200);
const headerBytes = 64;
const recordHeaderBytes = 32;

interface Laid {
  readonly text: string;
  readonly path: string;
  /** Where its record begins and its payload ends. */
  readonly from: number;
  readonly to: number;
}

/** A journal with sealed, open, spare and recycled files, and where each of its records lies. */
async function build(random: Random): Promise<{ fs: FaultFs; laid: Laid[] }> {
  const world = await openWorld({}, new FaultFs(() => random.next(), 1024 * 1024));
  let number = 0;
  const append = async (): Promise<string> => {
    number += 1;
    const text = `<${number}>${'abcdefg'.repeat(random.between(1, 200))}</${number}>`;
    assert.equal(await appendAndWait(world.journal, text), 'durable');
    return text;
  };
  // Earlier traffic, so that files are recycled and full of old records.
  for (let count = random.between(0, 12); count > 0; count -= 1) await append();
  await drain(world);
  const texts: string[] = [];
  for (let count = random.between(1, 40); count > 0; count -= 1) {
    texts.push(await append());
    if (random.next() < 0.1) await world.journal.cut();
  }
  const fs = world.fs.killProcess();
  return { fs, laid: texts.map((text) => find(fs, text)) };
}

function find(fs: FaultFs, text: string): Laid {
  for (const path of fs.paths()) {
    const at = Buffer.from(fs.content(path)).indexOf(text);
    if (at >= 0) return { text, path, from: at - recordHeaderBytes, to: at + text.length };
  }
  throw new assert.AssertionError({ message: `${text.slice(0, 9)} is in a file` });
}

/** Spoils one place of one file in one of the ways in which disks and people do. */
function damage(fs: FaultFs, random: Random): string {
  const paths = fs.paths().filter((path) => parseSegmentFile(path.slice(directory.length + 1)));
  const path = paths[random.between(0, paths.length - 1)] ?? '';
  const content = fs.content(path);
  const at = random.between(0, content.byteLength - 1);
  const length = Math.min(random.between(1, 3_000), content.byteLength - at);
  const kind = random.between(1, 7);
  if (kind === 1) content[at] = (content[at] ?? 0) ^ (1 << random.between(0, 7));
  if (kind === 2) content.fill(0, at, at + length);
  if (kind === 3) for (let i = at; i < at + length; i += 1) content[i] = random.between(0, 255);
  if (kind === 4) content.copyWithin(at - (at % 8), 4096, 4096 + length);
  if (kind === 5) content.copyWithin(random.between(512, 2048) * 8 - 4096, at, at + length);
  if (kind === 6) content[random.between(0, headerBytes - 1)] = random.between(0, 255);
  if (kind === 7) fs.truncate(path, at);
  return `${path}: ${kind} at ${at}, ${length} bytes`;
}

test(`journal: ${directories} damaged directories give back what is whole`, async (t) => {
  const first = new Random();
  t.diagnostic(`SLUICE_TEST_SEED=${first.seed}`);
  let whole = 0;
  let lost = 0;
  for (let number = 0; number < directories; number += 1) {
    const random = new Random(first.seed + number);
    const { fs, laid } = await build(random);
    const before = new Map(fs.paths().map((path) => [path, Buffer.from(fs.content(path))]));
    const done = Array.from({ length: random.between(1, 5) }, () => damage(fs, random));
    const unchanged = (path: string, from: number, to: number): boolean => {
      const now = Buffer.from(fs.content(path)).subarray(from, to);
      return before.get(path)?.subarray(from, to).equals(now) === true;
    };
    const expected = laid.filter(
      ({ path, from, to }) => unchanged(path, 0, headerBytes) && unchanged(path, from, to),
    );
    const spoilt = laid.filter((record) => !expected.includes(record));
    const spoiltSealed = spoilt.some(({ path }) => path.endsWith('.sealed'));
    const message = `SLUICE_TEST_SEED=${random.seed} SLUICE_TEST_DIRECTORIES=1\n${done.join('\n')}`;
    const world = await openWorld({}, fs);
    const texts = await drain(world);
    assert.deepEqual(
      texts.map((text) => text.slice(0, 9)),
      expected.map(({ text }) => text.slice(0, 9)),
      message,
    );
    assert.deepEqual(
      texts,
      expected.map(({ text }) => text),
      message,
    );
    const counted = await metricValue(world.metrics, 'sluice_journal_quarantined_total');
    if (spoiltSealed) assert.ok(counted > 0, message);
    assert.equal(await appendAndWait(world.journal, 'goes on'), 'durable', message);
    assert.deepEqual(await drain(world), ['goes on'], message);
    await world.journal.close();
    whole += expected.length;
    lost += spoilt.length;
  }
  t.diagnostic(`${whole} records whole, ${lost} damaged`);
  assert.ok(directories < 50 || (whole > directories && lost > directories));
});
