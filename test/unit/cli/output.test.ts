import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutput } from '../../../src/cli/output.js';
import { textTable } from '../../../src/cli/text-table.js';
import { NodeError } from '../../../src/core/errors.js';

function failure(error: unknown, json: boolean, colour: boolean, fields = {}): string {
  let written = '';
  const sink = { write: (text: string) => (written += text) };
  createOutput({ write: () => assert.fail('not an answer') }, sink, json, colour).error(
    error,
    fields,
  );
  return written;
}

test('a failure is code, message and remedy', () => {
  const error = new NodeError('SLUICE_PORT_TAKEN', 'cannot listen on 1883', 'Take another.');
  assert.equal(
    failure(error, false, false),
    'SLUICE_PORT_TAKEN: cannot listen on 1883. Take another.\n',
  );
  assert.equal(
    failure(error, false, true),
    '\x1b[31mSLUICE_PORT_TAKEN\x1b[39m: cannot listen on 1883. Take another.\n',
  );
  assert.equal(
    failure(error, true, true, { line: 3 }),
    '{"code":"SLUICE_PORT_TAKEN","message":"cannot listen on 1883",' +
      '"remedy":"Take another.","line":3}\n',
  );
  const plain = new NodeError('SLUICE_DEVICE_UNKNOWN', 'no device is called x');
  assert.equal(failure(plain, false, false), 'SLUICE_DEVICE_UNKNOWN: no device is called x\n');
});

test('a table is as wide as its cells and ends its lines with text', () => {
  const table = textTable(
    ['NAME', 'VALUE'],
    [
      ['a', '1'],
      ['température', ''],
      ['b', 'long text'],
    ],
  );
  assert.equal(
    table,
    'NAME         VALUE\n' + 'a            1\n' + 'température\n' + 'b            long text',
  );
  assert.equal(textTable(['A'], []), 'A');
});
