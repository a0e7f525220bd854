import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReceivedIdentifiers, ReceivedState, SentIdentifiers } from '../../../src/mqtt/inflight.js';

test('received identifiers behave as a map, in the small and in the large form', () => {
  const step = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.constantFrom(0, 1, 2));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1000 }), (steps) => {
      const identifiers = new ReceivedIdentifiers();
      const model = new Map<number, number>();
      for (const [identifier, state] of steps) {
        identifiers.set(identifier, state as ReceivedState);
        model.set(identifier, state);
      }
      let known = 0;
      for (let identifier = 1; identifier <= 300; identifier++) {
        const state = model.get(identifier) ?? 0;
        assert.equal(identifiers.get(identifier), state);
        if (state !== ReceivedState.none) known += 1;
      }
      assert.equal(identifiers.count, known);
    }),
    { numRuns: 200 },
  );
});

test('every identifier fits', () => {
  const identifiers = new ReceivedIdentifiers();
  for (let identifier = 1; identifier <= 65_535; identifier++) {
    identifiers.set(identifier, ReceivedState.received);
  }
  assert.equal(identifiers.count, 65_535);
  identifiers.set(65_535, ReceivedState.none);
  assert.equal(identifiers.get(65_535), ReceivedState.none);
  assert.equal(identifiers.get(65_534), ReceivedState.received);
});

test('sent identifiers run from 1 to 65535 and round, past those in flight', () => {
  const sent = new SentIdentifiers();
  const told: number[] = [];
  assert.equal(
    sent.take((code) => told.push(code)),
    1,
  );
  for (let expected = 2; expected <= 65_535; expected++) {
    assert.equal(sent.take(undefined), expected);
    assert.equal(sent.release(expected, 0), true);
  }
  assert.equal(sent.take(undefined), 2);
  assert.equal(sent.count, 2);
  assert.equal(sent.release(1, 0x10), true);
  assert.equal(sent.release(1, 0), false);
  assert.deepEqual(told, [0x10]);
});

test('whoever waits hears that the connection ended', () => {
  const sent = new SentIdentifiers();
  const told: number[] = [];
  sent.take((code) => told.push(code));
  sent.take((code) => told.push(code));
  sent.abandon();
  sent.abandon();
  assert.deepEqual(told, [-1, -1]);
  assert.equal(sent.count, 0);
});
