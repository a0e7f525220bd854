import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/core/clock.js';
import { createMetrics } from '../../../src/core/metrics.js';
import { Outcome } from '../../../src/core/outcome.js';
import { AnswerWriter } from '../../../src/http/answer-writer.js';
import { Body, BodyBudget } from '../../../src/http/body.js';
import { Exchange } from '../../../src/http/exchange.js';
import { Intake } from '../../../src/http/intake.js';
import type { HttpResponse } from '../../../src/http/server.js';
import { Batcher } from '../../../src/ingest/batcher.js';
import { MessageKind } from '../../../src/normalise/batch-layout.js';
import { SettlingSink, Tokens } from '../../support/http.js';

/** Remembers what was written, as `status/close` or `200` for the engine's default. */
function recorder(written: string[]): HttpResponse {
  let status = '200';
  const response: HttpResponse = {
    writeStatus(text): HttpResponse {
      status = text.slice(0, 3);
      return response;
    },
    writeHeader: () => response,
    end(_body, close): HttpResponse {
      written.push(close === true ? `${status}/close` : status);
      return response;
    },
    endWithoutBody: () => response,
    cork(write): HttpResponse {
      write();
      return response;
    },
    onAborted: () => response,
    onData: () => response,
    close: () => response,
  };
  return response;
}

function setUp() {
  const clock = systemClock();
  const metrics = createMetrics();
  const sink = new SettlingSink();
  const pacing = { groupDelayMs: 0, eagerBytes: 0, inFlightMax: 8 };
  const batcher = new Batcher(clock, 1024, pacing, sink);
  sink.connect((batch) => batcher.recycle(batch));
  sink.open = false;
  const intake = new Intake(clock, metrics, batcher, new AnswerWriter(metrics));
  const device = new Tokens().add('T1');
  const written: string[] = [];
  const budget = new BodyBudget(1_000_000);
  const { telemetryJson, attributesMsgpack } = MessageKind;
  const exchange = (kind: MessageKind = telemetryJson): Exchange => {
    const created = new Exchange(recorder(written), device, kind, false, false);
    created.complete = true;
    return created;
  };
  /** A body with memory of its own, `text` padded to 900 bytes: one fills a batch. */
  const add = (text: string, kind: MessageKind = telemetryJson): Exchange => {
    const created = exchange(kind);
    created.body = new Body(budget, 10_000);
    created.body.appendLast(Buffer.from(text.padEnd(900)));
    intake.add(created);
    return created;
  };
  const tryAdd = (text: string): boolean =>
    intake.tryAdd(exchange(), device, Buffer.from(text.padEnd(900)));
  const stored = (): string[] => sink.messages.map(({ payload }) => payload.trimEnd());
  return { sink, intake, add, tryAdd, stored, written, budget, attributesMsgpack };
}

test('bodies that find no room are served in the order they came', () => {
  const { sink, add, tryAdd, stored, written, budget } = setUp();
  for (let index = 0; index < 8; index++) assert.equal(tryAdd(String(index)), true);
  assert.equal(tryAdd('x'), false);
  for (let index = 8; index < 40; index++) add(String(index));
  assert.equal(budget.used, 32 * 1412);
  assert.equal(tryAdd('x'), false);
  while (stored().length < 40) sink.release();
  assert.deepEqual(
    stored(),
    Array.from({ length: 40 }, (_, index) => String(index)),
  );
  assert.deepEqual(written, Array(40).fill('200'));
  assert.equal(budget.used, 0);
});

test('who comes while others wait does not overtake them', () => {
  const { sink, add, tryAdd, stored } = setUp();
  for (let index = 0; index < 8; index++) tryAdd(String(index));
  add('8');
  add('9');
  assert.equal(tryAdd('early'), false);
  while (stored().length < 10) sink.release();
  assert.equal(stored().at(-1), '9');
});

test('what waits when the node stops is refused and frees its memory', async () => {
  const { intake, sink, add, tryAdd, written, stored, budget } = setUp();
  for (let index = 0; index < 8; index++) tryAdd(String(index));
  add('8');
  add('9');
  intake.refuseWaiting();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(written, ['503/close', '503/close']);
  assert.equal(budget.used, 0);
  while (stored().length < 8) sink.release();
  await intake.idle();
  assert.deepEqual(written.slice(2), Array(8).fill('200'));
});

test('an exchange whose peer went away is stored and not answered', () => {
  const { sink, add, stored, written } = setUp();
  const gone = add('gone');
  gone.response = undefined;
  add('here');
  while (stored().length < 2) sink.release();
  assert.deepEqual(stored(), ['gone', 'here']);
  assert.deepEqual(written, ['200']);
});

test('each outcome reaches its own exchange', () => {
  const { sink, add, stored, written } = setUp();
  sink.decide = ({ payload }) => {
    if (payload.startsWith('bad')) return [Outcome.jsonSyntax, 3];
    return [payload.startsWith('lost') ? Outcome.journalUnavailable : Outcome.accepted, -1];
  };
  for (const text of ['good', 'bad', 'lost', 'good', 'bad']) add(text);
  while (stored().length < 5) sink.release();
  assert.deepEqual(written, ['200', '400', '503', '200', '400']);
});

test('every row names its path, also in a batch that was used before', () => {
  const { sink, add, stored, attributesMsgpack } = setUp();
  for (let index = 0; index < 30; index++) {
    add('t');
    add('a', attributesMsgpack);
    while (stored().length < 2 * index + 2) sink.release();
  }
  for (const [index, { topic }] of sink.messages.entries()) {
    assert.equal(topic, `/api/v1/{token}/${index % 2 === 0 ? 'telemetry' : 'attributes'}`);
  }
});
