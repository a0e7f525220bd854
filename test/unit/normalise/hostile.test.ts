import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRejection, Outcome } from '../../../src/core/outcome.js';
import { MessageKind } from '../../../src/normalise/batch-layout.js';
import { Normaliser } from '../../../src/normalise/normalise.js';
import { DocumentMaker } from '../../support/json-documents.js';
import { referencePoints } from '../../support/json-reference.js';
import { makeBatch, normalise, type TestPoint } from '../../support/normalise.js';
import { Random } from '../../support/random.js';

const messagesPerBatch = 512;
/** No generated document has a `ts` like this. */
const spreadFrom = 1_600_000_000_000;

test('mutated documents are accepted or refused whole, exactly as the reference says', (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const maker = new DocumentMaker(random);
  const normaliser = new Normaliser();
  const counts = { accepted: 0, refused: 0 };
  for (let batch = 0; batch < 150; batch += 1) {
    const payloads = Array.from({ length: messagesPerBatch }, () =>
      mutated(Buffer.from(maker.document().text), random),
    );
    checkBatch(payloads, normaliser, counts);
  }
  t.diagnostic(`${counts.accepted} accepted, ${counts.refused} refused`);
  assert.ok(counts.accepted > 5000 && counts.refused > 5000, 'both happen often');
});

test('bytes of JSON in any order', (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const tokens = ['{', '}', '[', ']', ',', ':', '"a":', '"b":', '"ts":', '"values":', '{"a":1}'];
  const more = ['1', '2.5', '-', '.', 'e5', '"s"', '"', 'true', 'null', ' ', '\n', '\\', '"ts":7,'];
  const all = [...tokens, ...more, '{"ts":5,"values":', '[{"a":', '\u00e9', '\u0000'];
  const normaliser = new Normaliser();
  const counts = { accepted: 0, refused: 0 };
  for (let batch = 0; batch < 100; batch += 1) {
    const payloads = Array.from({ length: messagesPerBatch }, () => {
      const length = random.between(1, 12);
      const parts = Array.from({ length }, () => all[random.between(0, all.length - 1)]!);
      return Buffer.from(random.next() < 0.5 ? parts.join('') : `{"a":${parts.join('')}}`);
    });
    checkBatch(payloads, normaliser, counts);
  }
  assert.ok(counts.accepted > 300, 'some are accepted');
});

test('any bytes as any kind of message: no throw, whole or nothing, the arena as it was', () => {
  const kinds = [0, 1, 2, 3] as const;
  const normaliser = new Normaliser();
  const message = fc.record({
    payload: fc.uint8Array({ maxLength: 200 }),
    kind: fc.constantFrom(...kinds),
    flags: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
      const before = makeBatch(messages);
      const { result, outcomes, offsets, arena } = normalise(messages, normaliser);
      assert.equal(result.fault, undefined);
      outcomes.forEach((outcome, row) => {
        const { length } = messages[row]!.payload;
        assert.ok(outcome === Outcome.accepted || isRejection(outcome));
        assert.ok(outcome === Outcome.accepted ? offsets[row] === -1 : offsets[row]! >= 0);
        assert.ok(offsets[row]! <= length);
      });
      const untouched = new Uint8Array(before, before.byteLength - arena.length);
      assert.deepEqual(arena, untouched);
    }),
    { numRuns: 2000 },
  );
});

test('UTF-8 in strings is judged as a strict TextDecoder judges it', (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const leads = [
    0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1,
  ];
  const bytes = [...leads, 0xf4, 0xf5, 0xff, 0x8f, 0x90, 0x9f, 0xa0];
  const normaliser = new Normaliser();
  let valid = 0;
  for (let batch = 0; batch < 40; batch += 1) {
    const texts = Array.from({ length: messagesPerBatch }, () =>
      Uint8Array.from({ length: random.between(1, 5) }, () => bytes[random.between(0, 20)]!),
    );
    // The same bytes as a value, inside nested text, and as a key.
    for (const [before, after] of [
      ['{"a":"', '"}'],
      ['{"a":["', '"]}'],
      ['{"k', '":1}'],
    ] as const) {
      const payloads = texts.map((text) =>
        Buffer.concat([Buffer.from(before), text, Buffer.from(after)]),
      );
      const { outcomes } = normalise(
        payloads.map((payload) => ({ payload })),
        normaliser,
      );
      texts.forEach((text, row) => {
        const good = isDecodable(decoder, text);
        const control = before === '{"k' && good && /\p{Cc}/u.test(decoder.decode(text));
        if (good) valid += 1;
        const expected = good
          ? control
            ? Outcome.keyInvalid
            : Outcome.accepted
          : Outcome.utf8Invalid;
        assert.equal(outcomes[row], expected, `${before} ${Buffer.from(text).toString('hex')}`);
      });
    }
  }
  assert.ok(valid > 1000);
});

test('a message of MessagePack is judged whole as well', (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  const normaliser = new Normaliser();
  for (let batch = 0; batch < 60; batch += 1) {
    const messages = Array.from({ length: messagesPerBatch }, () => ({
      payload: mutated(
        Buffer.from(
          '85a161 01a2743205a3763a33ca40400000a162c3a16393c001a161'.replaceAll(' ', ''),
          'hex',
        ),
        random,
      ),
      kind: MessageKind.telemetryMsgpack,
    }));
    const { outcomes, points, result } = normalise(spread(messages), normaliser);
    assert.equal(result.fault, undefined);
    for (const { receivedAt } of points) {
      assert.equal(outcomes[receivedAt - spreadFrom], Outcome.accepted);
    }
  }
});

/** Gives every message an arrival of its own, so that a point tells which one it came from. */
function spread<T>(messages: readonly T[]): (T & { receivedAt: number })[] {
  return messages.map((message, row) => ({ ...message, receivedAt: spreadFrom + row }));
}

function checkBatch(
  payloads: readonly Uint8Array[],
  normaliser: Normaliser,
  counts: { accepted: number; refused: number },
): void {
  const { outcomes, points, result } = normalise(
    spread(payloads.map((payload) => ({ payload }))),
    normaliser,
  );
  assert.equal(result.fault, undefined);
  const byRow = new Map<number, TestPoint[]>();
  for (const point of points) {
    const row = point.receivedAt - spreadFrom;
    const others = byRow.get(row);
    if (others === undefined) byRow.set(row, [point]);
    else others.push(point);
  }
  payloads.forEach((payload, row) => {
    const expected = referencePoints(payload);
    const say = `${Buffer.from(payload).toString()} → ${outcomes[row]}`;
    assert.equal(outcomes[row] === Outcome.accepted, expected !== undefined, say);
    counts[expected === undefined ? 'refused' : 'accepted'] += 1;
    const actual = (byRow.get(row) ?? []).map(({ key, ts, type, num, text, receivedAt }) => {
      return { key, ts: ts === receivedAt ? undefined : ts, type, num, text };
    });
    assert.deepStrictEqual(actual, expected ?? [], say);
  });
}

function isDecodable(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** One to three small changes, or none. */
function mutated(payload: Buffer, random: Random): Buffer {
  let bytes = payload;
  for (let change = random.between(0, 2); change > 0; change -= 1) {
    const at = random.between(0, bytes.length);
    const rest = bytes.subarray(at);
    const before = bytes.subarray(0, at);
    const roll = random.next();
    const byte =
      roll < 0.5 ? random.between(0, 255) : Buffer.from('{}[],:"\\0-.e1 ')[random.between(0, 13)]!;
    if (roll < 0.3) bytes = Buffer.concat([before, Buffer.of(byte), rest.subarray(1)]);
    else if (roll < 0.6) bytes = Buffer.concat([before, Buffer.of(byte), rest]);
    else if (roll < 0.8) bytes = Buffer.concat([before, rest.subarray(random.between(1, 4))]);
    else if (roll < 0.9) bytes = Buffer.concat([before]);
    else bytes = Buffer.concat([before, bytes.subarray(random.between(0, at), at), rest]);
  }
  return bytes;
}
