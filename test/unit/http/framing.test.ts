import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Framing } from '../../../src/http/framing.js';

type Headers = ReadonlyArray<readonly [name: string, value: string]>;

const framing = new Framing();

function read(headers: Headers): Framing {
  framing.read({
    forEach(visit): void {
      for (const [name, value] of headers) visit(name, value);
    },
  });
  return framing;
}

function checkFlaw(headers: Headers, flaw: string): void {
  assert.equal(read([['host', 'a'], ...headers]).flaw, flaw);
}

const length = (value: string) => ['content-length', value] as const;
const transfer = (value: string) => ['transfer-encoding', value] as const;

test('what decides where the body ends is there once', () => {
  checkFlaw([], '');
  checkFlaw([length('2')], '');
  checkFlaw([transfer('chunked')], '');
  checkFlaw([transfer('CHUNKED')], '');
  checkFlaw([length('2'), length('2')], 'more than one Content-Length');
  checkFlaw([length(''), length('2')], 'more than one Content-Length');
  checkFlaw([length('')], 'Content-Length is empty');
  checkFlaw([length('2'), transfer('chunked')], 'both Content-Length and Transfer-Encoding');
  checkFlaw([transfer(''), length('2')], 'both Content-Length and Transfer-Encoding');
  checkFlaw([transfer('chunked'), transfer('chunked')], 'more than one Transfer-Encoding');
  checkFlaw([transfer('')], 'Transfer-Encoding must be chunked');
  checkFlaw([transfer('gzip, chunked')], 'Transfer-Encoding must be chunked');
  checkFlaw([transfer('identity')], 'Transfer-Encoding must be chunked');
  checkFlaw([['host', 'b']], 'more than one Host');
});

test('a request carries a body when it announces one', () => {
  assert.equal(read([]).hasBody, false);
  assert.equal(read([length('0')]).hasBody, true);
  assert.equal(read([transfer('chunked')]).hasBody, true);
  assert.equal(read([length('12345')]).contentLength, 12345);
  assert.equal(read([]).contentLength, -1);
  assert.equal(read([length('+-2')]).contentLength, Number.NaN);
});

test('nothing of one request is left for the next', () => {
  read([
    length('2'),
    transfer('chunked'),
    ['content-type', 'application/msgpack'],
    ['content-encoding', 'gzip'],
  ]);
  const next = read([['host', 'a']]);
  assert.equal(next.flaw, '');
  assert.equal(next.contentLength, -1);
  assert.equal(next.chunked, false);
  assert.equal(next.contentType, '');
  assert.equal(next.contentEncoding, '');
});

test('two Content-Encoding headers are one list', () => {
  const both = read([
    ['content-encoding', 'gzip'],
    ['content-encoding', 'gzip'],
  ]);
  assert.equal(both.contentEncoding, 'gzip, gzip');
});

test('headers of the same length are other headers', () => {
  const other = read([
    ['x-content-type', '5'],
    ['accept-lang', 'x'],
    ['x-forwarded-pro', '1'],
    ['x-content-length', '1'],
    ['sec-websocket-key', 'chunked'],
    ['via1', 'a'],
    ['via1', 'b'],
  ]);
  assert.equal(other.flaw, '');
  assert.equal(other.hasBody, false);
});
