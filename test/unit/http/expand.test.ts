import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Expander, type ExpandFailure } from '../../../src/http/expand.js';

async function expand(expander: Expander, bytes: Uint8Array): Promise<string | ExpandFailure> {
  return await new Promise((resolve) => {
    expander.expand(bytes, (result, failure) => {
      resolve(failure ?? Buffer.from(result ?? []).toString('latin1'));
    });
  });
}

test('what was compressed comes back', async () => {
  const expander = new Expander(1000, 50);
  assert.equal(await expand(expander, gzipSync('{"a":1}')), '{"a":1}');
  assert.equal(await expand(expander, gzipSync('')), '');
  const two = Buffer.concat([gzipSync('{"a"'), gzipSync(':1}')]);
  assert.equal(await expand(expander, two), '{"a":1}');
});

test('the limits are the last byte and the ratio that pass', async () => {
  const text = 'abcdefghij'.repeat(100);
  const bytes = gzipSync(text);
  assert.equal(await expand(new Expander(1000, 50), bytes), text);
  assert.equal(await expand(new Expander(999, 50), bytes), 'tooLarge');
  const ratio = Math.ceil(1000 / bytes.length);
  assert.equal(await expand(new Expander(100_000, ratio), bytes), text);
  assert.equal(await expand(new Expander(100_000, ratio - 1), bytes), 'tooLarge');
});

test('what is no gzip, cut short or damaged is malformed', async () => {
  const expander = new Expander(1000, 50);
  const good = gzipSync('{"temperature":25.31,"humidity":64.2}');
  assert.equal(await expand(expander, new Uint8Array(0)), 'malformed');
  assert.equal(await expand(expander, Buffer.from('{"a":1}')), 'malformed');
  for (let cut = 1; cut < good.length; cut++) {
    assert.equal(await expand(expander, good.subarray(0, cut)), 'malformed');
  }
  const damaged = Uint8Array.from(good);
  damaged[good.length - 5] = (damaged[good.length - 5] ?? 0) ^ 1; // its checksum
  assert.equal(await expand(expander, damaged), 'malformed');
});

test('every waiting body gets its turn, in order', async () => {
  const expander = new Expander(1000, 50);
  const started: Promise<string>[] = [];
  const done: string[] = [];
  for (let index = 0; index < 50; index++) {
    const one = expand(expander, gzipSync(String(index)));
    started.push(one);
    void one.then((text) => done.push(text));
  }
  await Promise.all(started);
  assert.equal(done.length, 50);
  for (const [index, text] of done.entries()) assert.ok(Math.abs(Number(text) - index) <= 2);
});
