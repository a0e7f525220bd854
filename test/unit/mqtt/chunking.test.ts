import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assembleMqtt, type MqttParts } from '../../support/mqtt.js';
import {
  connectPacket,
  hex,
  packet,
  publishPacket,
  telemetry,
  text,
  type Version,
} from '../../support/mqtt-bytes.js';
import { MemoryWire } from '../../support/mqtt-parts.js';

// However a byte stream is cut into reads, the same packets come out of it.

const topics = [
  telemetry,
  'v1/devices/me/attributes',
  'v2/t',
  'v2/a/m',
  'elsewhere',
  'v1/gateway/x',
];

/** One packet of a session, as a function of the version and of an identifier of its own. */
type Step = (version: Version, identifier: number) => string;

const publishStep: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom('30', '32', '3a', '34'),
    fc.constantFrom(...topics),
    fc.string({ maxLength: 300 }),
    fc.constantFrom('00', '020101', '03230001', '0a260001610004e282ac31'),
  )
  .map(([first, topic, payload, properties]) => {
    return (version, identifier) =>
      publishPacket(version, first, identifier, topic, `{${payload}`, properties);
  });
const otherStep: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  () => 'c000',
  (version, identifier) => {
    const properties = version === 5 ? '00' : '';
    const head = identifier.toString(16).padStart(4, '0') + properties;
    return packet('82', `${head} ${text('v2/a')} 01 ${text('x/#')} 00`);
  },
  (_, identifier) => `6202${(identifier + 5000).toString(16).padStart(4, '0')}`,
  (_, identifier) => `4002${identifier.toString(16).padStart(4, '0')}`,
);
/** Ends a session: DISCONNECT, or something that is refused. */
const lastStep = fc.constantFrom<Step>(
  () => '',
  () => 'e000',
  () => '0000',
  () => 'c100',
  () => '30ffffff7f',
  () => '82020001',
  (version) => connectPacket(version),
);

interface Outcome {
  readonly seen: readonly string[];
  /** PUBACK and PUBREC in their order, and everything else in its own. */
  readonly acknowledgements: readonly string[];
  readonly others: readonly string[];
  readonly ended: boolean;
}

async function play(parts: MqttParts, stream: Buffer, cuts: readonly number[]): Promise<Outcome> {
  const wire = new MemoryWire();
  const carrier = parts.listener.attach(wire);
  assert.ok(carrier !== undefined);
  parts.sink.seen.length = 0;
  let at = 0;
  for (const cut of [...cuts, stream.length]) {
    if (cut <= at) continue;
    // A read buffer of its own that is overwritten afterwards, as the shared one is.
    const read = Buffer.from(stream.subarray(at, cut));
    carrier.receive(read);
    read.fill(0xff);
    at = cut;
  }
  await parts.idle();
  carrier.closed();
  const isAcknowledgement = (digits: string): boolean => /^[45]0/.test(digits);
  const packets = wire.packets();
  return {
    seen: parts.sink.seen.map(({ topic, payload, kind }) => `${kind} ${topic} ${payload}`),
    acknowledgements: packets.filter(isAcknowledgement),
    others: packets.filter((digits) => !isAcknowledgement(digits)),
    ended: wire.ended,
  };
}

test('any chunking of a byte stream gives the same packets', async () => {
  const parts = assembleMqtt();
  const cuts = fc.oneof(
    fc.array(fc.integer({ min: 0, max: 6000 }), { maxLength: 40 }),
    fc.constant(Array.from({ length: 20_000 }, (_, index) => index)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Version>(3, 4, 5),
      fc.array(fc.oneof({ weight: 4, arbitrary: publishStep }, otherStep), { maxLength: 40 }),
      lastStep,
      cuts,
      async (version, steps, last, places) => {
        const digits = steps.map((step, index) => step(version, index + 1)).join('');
        const stream = hex(connectPacket(version) + digits + last(version, 999));
        const whole = await play(parts, stream, []);
        const cut = await play(
          parts,
          stream,
          [...places].sort((a, b) => a - b),
        );
        assert.deepEqual(cut, whole);
      },
    ),
    { numRuns: 400 },
  );
});

test('a stream cut at every single byte', async () => {
  const parts = assembleMqtt();
  for (const version of [3, 4, 5] as const) {
    const stream = hex(
      [
        connectPacket(version),
        publishPacket(version, '32', 1, telemetry, '{"a":1}'),
        publishPacket(version, '34', 2, 'v2/a', 'x'.repeat(200)),
        'c000',
        publishPacket(version, '30', 0, 'elsewhere', '{}'),
        publishPacket(version, '32', 3, 'v2/t', '{"b":2}'),
        'e000',
      ].join(''),
    );
    const whole = await play(parts, stream, []);
    assert.equal(whole.seen.length, 4);
    assert.equal(whole.ended, true);
    for (let cut = 1; cut < stream.length; cut++) {
      assert.deepEqual(await play(parts, stream, [cut]), whole, `cut at ${cut}`);
    }
  }
});
