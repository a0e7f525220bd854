import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../../src/core/outcome.js';
import { answerOf, connectReturnCode, sessionEndCode } from '../../../src/mqtt/reason-codes.js';

/** `ack 99`, `close badPayload`, `shutdown`. */
function answer(version: number, outcome: number, badPayload: 'ack' | 'close' = 'ack'): string {
  const found = answerOf(version, outcome, badPayload);
  if (found.kind === 'ack') return `ack ${found.reasonCode.toString(16)}`;
  return found.kind === 'close' ? `close ${found.reason}` : found.kind;
}

test('every outcome has an answer in every version', () => {
  for (const [name, outcome] of Object.entries(Outcome)) {
    const badPayload = outcome > 0 && outcome < 32;
    const three = new Map<number, string>([
      [Outcome.accepted, 'ack 0'],
      [Outcome.topicUnknown, 'ack 90'],
      [Outcome.notAGateway, 'ack 87'],
      [Outcome.journalUnavailable, 'close notStored'],
      [Outcome.overload, 'close notStored'],
      [Outcome.shuttingDown, 'shutdown'],
    ]);
    const five = new Map([
      ...three,
      [Outcome.journalUnavailable, 'ack 83'],
      [Outcome.overload, 'ack 97'],
    ]);
    // 3.x sees any `ack` as a plain PUBACK or PUBREC.
    assert.equal(answer(4, outcome), badPayload ? 'ack 99' : three.get(outcome), name);
    assert.equal(answer(3, outcome), answer(4, outcome), name);
    assert.equal(answer(5, outcome), badPayload ? 'ack 99' : five.get(outcome), name);
    const strict = badPayload ? 'close badPayload' : three.get(outcome);
    assert.equal(answer(4, outcome, 'close'), strict, name);
    assert.equal(answer(5, outcome, 'close'), answer(5, outcome), name);
  }
});

test('CONNACK return codes of 3.x', () => {
  const check = (reasonCode: number, expected: number | undefined): void => {
    assert.equal(connectReturnCode(reasonCode), expected, reasonCode.toString(16));
  };
  check(0x00, 0);
  check(0x84, 1);
  check(0x85, 2);
  check(0x88, 3);
  check(0x97, 3);
  check(0x9f, 3);
  check(0x86, 4);
  check(0x87, 5);
  check(0x81, undefined);
  check(0x82, undefined);
  check(0x95, undefined);
});

test('what a session is told when the node ends it', () => {
  assert.equal(sessionEndCode('takenOver'), 0x8e);
  assert.equal(sessionEndCode('tooManySessions'), 0x97);
  assert.equal(sessionEndCode('credentialsChanged'), 0x98);
  assert.equal(sessionEndCode('deviceDisabled'), 0x98);
  assert.equal(sessionEndCode('deviceDeleted'), 0x98);
});
