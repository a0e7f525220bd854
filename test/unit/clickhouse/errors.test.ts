import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { classify } from '../../../src/clickhouse/errors.js';
import { NodeError } from '../../../src/core/errors.js';

const clickhouse = (code: string, type?: string): Error =>
  Object.assign(new Error('as the server put it'), { code, type });

describe('whether an insert is worth repeating', () => {
  const check = (error: unknown, verdict: string, name: string, known = true): void => {
    const result = classify(error);
    assert.deepEqual([result.verdict, result.name, result.known], [verdict, name, known]);
  };

  it('not when the bytes are at fault', () => {
    check(clickhouse('117', 'INCORRECT_DATA'), 'reject', 'INCORRECT_DATA');
    check(clickhouse('53', 'TYPE_MISMATCH'), 'reject', 'TYPE_MISMATCH');
    check(clickhouse('33'), 'reject', 'CANNOT_READ_ALL_DATA');
  });

  it('when the server, the schema or the rights are', () => {
    check(clickhouse('252', 'TOO_MANY_PARTS'), 'retry', 'TOO_MANY_PARTS');
    check(clickhouse('241', 'MEMORY_LIMIT_EXCEEDED'), 'retry', 'MEMORY_LIMIT_EXCEEDED');
    check(clickhouse('60', 'UNKNOWN_TABLE'), 'retry', 'UNKNOWN_TABLE');
    check(clickhouse('516', 'AUTHENTICATION_FAILED'), 'retry', 'AUTHENTICATION_FAILED');
  });

  it('when nobody answered', () => {
    check(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'retry', 'ECONNREFUSED');
    check(Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'retry', 'ECONNRESET');
    check(Object.assign(new Error('x'), { code: 'CERT_HAS_EXPIRED' }), 'retry', 'CERT_HAS_EXPIRED');
    check(new Error('Timeout error.'), 'retry', 'TIMEOUT');
    check(new Error('socket hang up'), 'retry', 'TIMEOUT');
  });

  it('when nobody knows, with an alarm', () => {
    check(clickhouse('4711', 'NEVER_HEARD_OF'), 'retry', 'NEVER_HEARD_OF', false);
    check(new Error('odd'), 'retry', 'UNKNOWN', false);
    check('odd', 'retry', 'UNKNOWN', false);
    check(undefined, 'retry', 'UNKNOWN', false);
  });

  it('reads what a NodeError was caused by, before any words', () => {
    const cause = clickhouse('27', 'CANNOT_PARSE_INPUT_ASSERTION_FAILED');
    const wrapped = new NodeError('SLUICE_CLICKHOUSE_REFUSED', 'aborted by a timeout', '', cause);
    check(wrapped, 'reject', 'CANNOT_PARSE_INPUT_ASSERTION_FAILED');
    assert.equal(classify(wrapped).code, '27');
  });

  it('survives a circle of causes', () => {
    const error = new Error('round') as Error & { cause: unknown };
    error.cause = error;
    check(error, 'retry', 'UNKNOWN', false);
  });
});
