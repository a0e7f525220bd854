import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../../../workers/clickhouse/failure.js';
import { readStatement } from '../../../workers/clickhouse/statement.js';

const whole = (text: string): unknown => {
  const statement = readStatement(text, true);
  if (statement.kind !== 'insert') return statement;
  const { dataAt, ...rest } = statement;
  return { ...rest, data: text.slice(dataAt) };
};

const query = (keyword: string, text: string, format?: string): unknown => ({
  kind: 'query',
  keyword,
  text,
  format,
});

const insert = (into: string, format: string, data: string, settings = ''): unknown => ({
  kind: 'insert',
  into,
  settings,
  format,
  data,
});

describe('where the data of an INSERT begins', () => {
  const check = (text: string, expected: unknown): void => assert.deepEqual(whole(text), expected);

  it('behind FORMAT and its name', () => {
    check('INSERT INTO t FORMAT CSV\n1,2\n', insert('INSERT INTO t ', 'CSV', '1,2\n'));
    check('insert into t format CSV  1,2', insert('insert into t ', 'CSV', '1,2'));
    check('INSERT INTO t FORMAT CSV\r\n1', insert('INSERT INTO t ', 'CSV', '1'));
    check('INSERT INTO t FORMAT CSV \n\n1', insert('INSERT INTO t ', 'CSV', '\n1'));
    check(
      'INSERT INTO a.b (x, y) FORMAT Native\n',
      insert('INSERT INTO a.b (x, y) ', 'Native', ''),
    );
    check(
      'INSERT INTO TABLE `a b`.`c` FORMAT TSV\n1',
      insert('INSERT INTO TABLE `a b`.`c` ', 'TSV', '1'),
    );
  });

  it('behind VALUES', () => {
    check("INSERT INTO t VALUES (1,'a')", insert('INSERT INTO t ', 'Values', " (1,'a')"));
    check('INSERT INTO t (a)VALUES(1)', insert('INSERT INTO t (a)', 'Values', '(1)'));
  });

  it('with SETTINGS before it', () => {
    check(
      "INSERT INTO t (a) SETTINGS insert_deduplication_token = 'FORMAT x' FORMAT CSV\n1",
      insert('INSERT INTO t (a) ', 'CSV', '1', "SETTINGS insert_deduplication_token = 'FORMAT x' "),
    );
  });

  it('not where a name, a string or a comment only looks like it', () => {
    check('INSERT INTO format FORMAT CSV\n1', insert('INSERT INTO format ', 'CSV', '1'));
    check('INSERT INTO values VALUES (1)', insert('INSERT INTO values ', 'Values', ' (1)'));
    check(
      'INSERT INTO t /* FORMAT a */ FORMAT CSV\n1',
      insert('INSERT INTO t /* FORMAT a */ ', 'CSV', '1'),
    );
    check(
      'INSERT INTO t -- FORMAT a\n FORMAT CSV\n1',
      insert('INSERT INTO t -- FORMAT a\n ', 'CSV', '1'),
    );
    check(
      'INSERT INTO t ("a FORMAT b") FORMAT CSV\n1',
      insert('INSERT INTO t ("a FORMAT b") ', 'CSV', '1'),
    );
    check(
      'INSERT INTO {x:Identifier} VALUES (1)',
      insert('INSERT INTO {x:Identifier} ', 'Values', ' (1)'),
    );
    check(
      "INSERT INTO FUNCTION null('a Int8') VALUES (1)",
      insert("INSERT INTO FUNCTION null('a Int8') ", 'Values', ' (1)'),
    );
  });

  it('the data is never looked at', () => {
    const data = '1\n\nDROP TABLE t; \'"`$$ /* --';
    check(`INSERT INTO t FORMAT CSV\n${data}`, insert('INSERT INTO t ', 'CSV', data));
  });
});

describe('an INSERT that is not complete yet', () => {
  const check = (text: string): void =>
    assert.deepEqual(readStatement(text, false), { kind: 'incomplete' });

  it('asks for more', () => {
    for (const text of [
      '',
      '  ',
      'INS',
      'INSERT',
      'INSERT INTO t',
      'INSERT INTO t FORMAT',
      'INSERT INTO t FORMAT Nat',
      "INSERT INTO t SETTINGS a = 'FORMAT CSV ",
      'INSERT INTO t (a, ',
      'INSERT INTO t VALUES',
      'SELECT 1 ',
    ]) {
      check(text);
    }
  });

  it('knows the data as soon as the name has ended', () => {
    assert.equal(readStatement('INSERT INTO t FORMAT Native ', false).kind, 'insert');
    assert.equal(readStatement('INSERT INTO t VALUES (', false).kind, 'insert');
  });
});

describe('statements without data', () => {
  const check = (text: string, expected: unknown): void => assert.deepEqual(whole(text), expected);

  it('go through as they are, one at a time', () => {
    check('SELECT 1', query('SELECT', 'SELECT 1'));
    check(' select 1 ; ;-- end', query('SELECT', 'select 1 '));
    check("SELECT ';' AS a", query('SELECT', "SELECT ';' AS a"));
    check("SELECT 'it''s;', 'a\\';'", query('SELECT', "SELECT 'it''s;', 'a\\';'"));
    check('SELECT $a$ ; $a$', query('SELECT', 'SELECT $a$ ; $a$'));
    check('INSERT INTO t SELECT 1', query('INSERT', 'INSERT INTO t SELECT 1'));
    check(
      'INSERT INTO t (a) WITH 1 AS x SELECT x',
      query('INSERT', 'INSERT INTO t (a) WITH 1 AS x SELECT x'),
    );
    check('INSERT INTO t (SELECT 1)', query('INSERT', 'INSERT INTO t (SELECT 1)'));
    check('', { kind: 'empty' });
    check('-- only this', { kind: 'empty' });
  });

  it('tell their format', () => {
    check('SELECT 1 FORMAT JSON', query('SELECT', 'SELECT 1 FORMAT JSON', 'JSON'));
    check(
      'SELECT 1 FORMAT JSON SETTINGS a = 1',
      query('SELECT', 'SELECT 1 FORMAT JSON SETTINGS a = 1', 'JSON'),
    );
    check('SELECT format FROM t', query('SELECT', 'SELECT format FROM t'));
    check('SELECT a AS format FROM t', query('SELECT', 'SELECT a AS format FROM t'));
    check(
      "SELECT format('{}', a) FROM t FORMAT CSV",
      query('SELECT', "SELECT format('{}', a) FROM t FORMAT CSV", 'CSV'),
    );
  });
});

describe('what is refused', () => {
  const check = (text: string, code: number): void => {
    assert.throws(
      () => readStatement(text, true),
      (error) => error instanceof Failure && error.code === code,
      text,
    );
  };

  it('two statements', () => {
    check('SELECT 1; SELECT 2', 62);
    check('SELECT 1;DROP TABLE t', 62);
    check("SELECT 'a'; /* c */ x", 62);
  });

  it('quotes that do not end', () => {
    check("SELECT 'a", 62);
    check('SELECT `a', 62);
    check('SELECT $x$ a', 62);
  });

  it('files of the server', () => {
    check("INSERT INTO t FROM INFILE 'x' FORMAT CSV", 48);
    check("SELECT 1 INTO OUTFILE 'x'", 358);
    check("SELECT 1 into\n/**/ outfile 'x'", 358);
  });

  it('ways around the file that data goes through', () => {
    check("INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV\n1\n\nDROP TABLE t", 48);
    check('EXPLAIN INSERT INTO t VALUES (1)\n\nDROP TABLE t', 48);
    check('EXPLAIN AST INSERT t VALUES (1)', 48);
    check('WITH 1 AS x INSERT INTO t VALUES (1)', 48);
    check('DROP TABLE a PARALLEL WITH INSERT INTO t VALUES (1)', 48);
    check('INSERT INTO t SELECT 1 PARALLEL WITH INSERT INTO t VALUES (1)', 48);
    check('INSERT INTO t FORMAT CSV;\n1', 62);
  });
});
