import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from '../../../src/http/fifo.js';

test('first in, first out, like an array', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (pushes) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const [index, push] of pushes.entries()) {
        if (push) {
          fifo.push(index);
          model.push(index);
        } else {
          assert.equal(fifo.peek(), model[0]);
          assert.equal(fifo.shift(), model.shift());
        }
        assert.equal(fifo.length, model.length);
      }
    }),
  );
});
