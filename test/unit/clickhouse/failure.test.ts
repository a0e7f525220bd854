import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Failure,
  failureOf,
  failureText,
  statusOfCode,
} from '../../../workers/clickhouse/failure.js';

describe('errors in ClickHouse’s words', () => {
  it('are read from the engine', () => {
    const check = (text: string, code: number, name: string, message: string): void => {
      const failure = failureOf(new Error(text));
      assert.deepEqual([failure.code, failure.codeName, failure.message], [code, name, message]);
    };
    check(
      "Code: 60. DB::Exception: Unknown table expression identifier 'nope'. (UNKNOWN_TABLE)",
      60,
      'UNKNOWN_TABLE',
      "Unknown table expression identifier 'nope'.",
    );
    check(
      'Code: 117. DB::Exception: Code: 117. DB::Exception: Too short: (in file/uri /a/b/body-7): ' +
        'While executing File. (INCORRECT_DATA) (version 26.7.2.1). (INCORRECT_DATA)',
      117,
      'INCORRECT_DATA',
      'Too short: (in the request body): While executing File. (INCORRECT_DATA)',
    );
    check(
      'Code: 62. DB::Exception: failed at position 1 (x): x\n/* sluice statement 12 */. ' +
        'Expected: y. (SYNTAX_ERROR)',
      62,
      'SYNTAX_ERROR',
      'failed at position 1 (x): x. Expected: y.',
    );
    check('something else', 1002, 'UNKNOWN_EXCEPTION', 'something else');
  });

  it('are written as a server does', () => {
    assert.equal(
      failureText(new Failure(81, 'UNKNOWN_DATABASE', 'Database x does not exist.'), '26.7.2.1'),
      'Code: 81. DB::Exception: Database x does not exist. (UNKNOWN_DATABASE) ' +
        '(version 26.7.2.1 (official build))\n',
    );
  });

  it('have ClickHouse’s statuses', () => {
    const check = (code: number, status: number): void => assert.equal(statusOfCode(code), status);
    check(62, 400);
    check(194, 401);
    check(516, 403);
    check(60, 404);
    check(159, 408);
    check(229, 413);
    check(241, 500);
    check(48, 501);
    check(202, 503);
    check(252, 500);
  });
});
