import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outcome } from '../../../src/core/outcome.js';
import { answerOf, rateLimited } from '../../../src/http/status.js';

test('every outcome has its status', () => {
  const check = (outcome: number, code: number, retryAfter: number, body: string): void => {
    const answer = answerOf(outcome, 7);
    assert.deepEqual(
      [answer.code, answer.retryAfterSeconds, answer.body],
      [code, retryAfter, body],
    );
  };
  const checkRejection = (outcome: number, reason: string): void => {
    check(outcome, 400, 0, `{"status":400,"message":"${reason} at byte 7"}`);
  };
  check(Outcome.accepted, 200, 0, '');
  checkRejection(Outcome.jsonSyntax, 'malformed JSON');
  checkRejection(Outcome.jsonDepth, 'JSON nested deeper than 64 levels');
  checkRejection(Outcome.utf8Invalid, 'invalid UTF-8');
  checkRejection(Outcome.timestampInvalid, 'ts is not an integer number of milliseconds');
  checkRejection(Outcome.numberOverflow, 'a number does not fit a 64-bit float');
  checkRejection(Outcome.msgpackInvalid, 'malformed MessagePack');
  const unavailable = (message: string): string => `{"status":503,"message":"${message}"}`;
  check(Outcome.journalUnavailable, 503, 5, unavailable('the journal cannot write'));
  check(Outcome.overload, 503, 1, unavailable('overloaded'));
  check(Outcome.shuttingDown, 503, 1, unavailable('the node is stopping'));
});

test('no outcome is without an answer, and only 200 promises that it is stored', () => {
  for (const outcome of Object.values(Outcome)) {
    const { code } = answerOf(outcome, -1);
    assert.ok(outcome === Outcome.accepted ? code === 200 : code === 400 || code === 503);
  }
  assert.equal(answerOf(255, -1).code, 503);
});

test('Retry-After is whole seconds, at least one', () => {
  const check = (waitMs: number, seconds: number): void => {
    assert.equal(rateLimited(waitMs).retryAfterSeconds, seconds);
  };
  check(0.5, 1);
  check(1000, 1);
  check(1001, 2);
  check(60_000, 60);
});
