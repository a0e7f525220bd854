import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../../src/core/limits.js';
import { type AckHolder, AckList, Scratch } from '../../../src/mqtt/acks.js';

class Holder implements AckHolder {
  ackHead = -1;
  ackTail = -1;
  ackCount = 0;
  dirty = false;
  flushes = 0;
  written = '';
  readonly #list: AckList;

  constructor(list: AckList) {
    this.#list = list;
  }

  flush(): void {
    this.flushes += 1;
    const bytes = Buffer.alloc(this.ackCount * 4);
    this.#list.take(this, bytes);
    this.written += bytes.toString('hex');
  }
}

test('chains come out per holder, in order, once', () => {
  const round = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ max: 0x5002ffff })));
  fc.assert(
    fc.property(fc.array(round, { maxLength: 5 }), (rounds) => {
      const list = new AckList();
      const holders = Array.from({ length: 5 }, () => new Holder(list));
      const expected = ['', '', '', '', ''];
      for (const entries of rounds) {
        const before = holders.map(({ flushes }) => flushes);
        for (const [index, word] of entries) {
          const holder = holders[index];
          if (holder === undefined) continue;
          list.add(holder, word);
          expected[index] += (word >>> 0).toString(16).padStart(8, '0');
        }
        list.flushAll();
        holders.forEach((holder, index) => {
          const used = entries.some(([of]) => of === index);
          assert.equal(holder.flushes - (before[index] ?? 0), used ? 1 : 0);
        });
      }
      assert.deepEqual(
        holders.map(({ written }) => written),
        expected,
      );
    }),
    { numRuns: 200 },
  );
});

test('a full list flushes itself', () => {
  const list = new AckList();
  const holder = new Holder(list);
  for (let index = 0; index < limits.batchMessagesMax + 1; index++) list.add(holder, index);
  assert.equal(holder.flushes, 1);
  list.flushAll();
  assert.equal(holder.written.length, (limits.batchMessagesMax + 1) * 8);
  assert.ok(holder.written.endsWith('00001000'));
});

test('a forgotten chain is not written', () => {
  const list = new AckList();
  const holder = new Holder(list);
  list.add(holder, 1);
  list.forget(holder);
  list.add(holder, 2);
  list.flushAll();
  assert.equal(holder.written, '00000002');
});

test('scratch bytes are reused until a write has to wait', () => {
  const scratch = new Scratch();
  assert.equal(scratch.view(1), scratch.view(1));
  assert.equal(scratch.view(1).length, 4);
  assert.equal(scratch.view(4096).length, 16_384);
  const first = scratch.view(2);
  scratch.renew();
  assert.notEqual(scratch.view(2).buffer, first.buffer);
});
