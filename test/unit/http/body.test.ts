import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Appended, Body, BodyBudget } from '../../../src/http/body.js';

const { ok, tooLarge, overBudget } = Appended;

test('pieces come together, whatever their sizes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 20 }), (pieces) => {
      const budget = new BodyBudget(1_000_000);
      const body = new Body(budget, 1_000_000);
      for (const [index, piece] of pieces.entries()) {
        const last = index === pieces.length - 1;
        assert.equal(last ? body.appendLast(piece) : body.append(piece), ok);
      }
      assert.deepEqual(Buffer.from(body.view()), Buffer.concat(pieces));
      body.release();
      assert.equal(budget.used, 0);
      body.release();
      assert.equal(budget.used, 0);
    }),
  );
});

test('the limit is the last byte that fits', () => {
  const budget = new BodyBudget(100_000);
  const body = new Body(budget, 5000);
  assert.equal(body.append(new Uint8Array(4999)), ok);
  assert.equal(body.append(new Uint8Array(1)), ok);
  assert.equal(body.append(new Uint8Array(1)), tooLarge);
  assert.equal(new Body(budget, 5000).appendLast(new Uint8Array(5001)), tooLarge);
  assert.equal(new Body(budget, 5000).appendLast(new Uint8Array(5000)), ok);
});

test('the budget is charged for the room taken and 512 bytes more', () => {
  const budget = new BodyBudget(10_000);
  const first = new Body(budget, 100_000);
  assert.equal(first.append(Uint8Array.of(1)), ok);
  assert.equal(budget.used, 4096 + 512);
  const second = new Body(budget, 100_000);
  assert.equal(second.appendLast(new Uint8Array(46)), ok);
  assert.equal(budget.used, 4608 + 558);
  assert.equal(first.append(new Uint8Array(4096)), ok);
  assert.equal(budget.used, 8192 + 512 + 558);
  assert.equal(second.append(new Uint8Array(2000)), overBudget);
  assert.equal(budget.used, 8192 + 512 + 558);
  first.release();
  assert.equal(second.append(new Uint8Array(2000)), ok);
  second.release();
  assert.equal(budget.used, 0);
});

test('replacing what it held charges for the new bytes only', () => {
  const budget = new BodyBudget(2000);
  const body = new Body(budget, 1000);
  assert.equal(body.appendLast(new Uint8Array(100)), ok);
  assert.equal(body.replace(Uint8Array.of(7, 8, 9)), true);
  assert.deepEqual([...body.view()], [7, 8, 9]);
  assert.equal(budget.used, 515);
  assert.equal(body.replace(new Uint8Array(1500)), false);
  assert.equal(budget.used, 0);
});
