import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  fillTemplate,
  quoteIdentifier,
  splitStatements,
} from '../../../src/clickhouse/statements.js';
import { packageRoot } from '../../../src/core/package-root.js';

describe('schema files', () => {
  it('are split at semicolons that end a line', () => {
    const check = (text: string, expected: string[]): void =>
      assert.deepEqual(splitStatements(text), expected);
    check('', []);
    check('-- nothing\n', []);
    check('A\n;\n\nB;\n', ['A', 'B']);
    check("-- one; two\nA 'x; y'\n  -- three\nB", ["A 'x; y'\nB"]);
  });

  it('are filled in', () => {
    const values = { database: '`a`', on_cluster: '' };
    assert.equal(fillTemplate('{{database}}.t {{on_cluster}}', values), '`a`.t ');
    assert.equal(fillTemplate('{device:String} {{other}}', values), '{device:String} {{other}}');
    assert.equal(quoteIdentifier('a`b\\'), '`a\\`b\\\\`');
  });

  it('use no name that is not filled in, and may all be repeated', () => {
    const folder = join(packageRoot(), 'schema', 'clickhouse');
    const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
    assert.ok(files.length > 0);
    const values = { database: 'd', on_cluster: '', replicated: '' };
    for (const file of files) {
      for (const statement of splitStatements(readFileSync(join(folder, file), 'utf8'))) {
        assert.doesNotMatch(fillTemplate(statement, values), /\{\{/, file);
        assert.match(statement, /^CREATE .*IF NOT EXISTS/, file);
      }
    }
  });
});
