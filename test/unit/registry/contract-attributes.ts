import assert from 'node:assert/strict';
import fc from 'fast-check';
import { newDeviceId } from '../../../src/core/ids.js';
import {
  type AttributeRecord,
  type AttributeValue,
  ValueType,
} from '../../../src/normalise/result.js';
import type { ContractTests } from './contract-test.js';

const { bool, long, double, string, json } = ValueType;

export function attributeContract(tests: ContractTests): void {
  values(tests);
  order(tests);
  reading(tests);
  hostile(tests);
}

function values(tests: ContractTests): void {
  tests.test('attribute values come back exactly', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    const table: [string, ValueType, AttributeValue][] = [
      ['bool false', bool, false],
      ['bool true', bool, true],
      ['double -0', double, -0],
      ['double 42', double, 42],
      ['double big', double, 1.7976931348623157e308],
      ['double small', double, 5e-324],
      ['json', json, '{"b":[1, 2.50],"a":"ü\\u0000"}'],
      ['long 0', long, 0n],
      ['long beyond double', long, 9007199254740993n],
      ['long max', long, 9223372036854775807n],
      ['long min', long, -9223372036854775808n],
      ['string', string, ' 42 \u0000 ü 😀'],
      ['string empty', string, ''],
      ['string large', string, 'x'.repeat(256 * 1024)],
    ];
    const summary = await registry.applyAttributes([[device.id, 1_000, table]]);
    assert.deepEqual(summary, { written: table.length, skipped: 0 });
    const read = await registry.readAttributes(device.id, 'client');
    assert.equal(read.length, table.length);
    for (const [index, [key, type, value]] of table.entries()) {
      const { value: stored, ...rest } = read[index] ?? {};
      assert.deepEqual(rest, { key, type, ts: 1_000, version: 1 });
      assert.ok(Object.is(stored, value), key);
    }
  });

  tests.test('a value may change its type', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    const check = async (ts: number, type: ValueType, value: AttributeValue): Promise<void> => {
      await registry.applyAttributes([[device.id, ts, [['key', type, value]]]]);
      const [read] = await registry.readAttributes(device.id, 'client');
      assert.deepEqual(read, { key: 'key', type, value, ts, version: ts });
    };
    await check(1, long, 1n);
    await check(2, bool, true);
    await check(3, double, 1);
    await check(4, string, '1');
    await check(5, json, '1');
  });
}

function order(tests: ContractTests): void {
  tests.test('an older value never replaces a newer one', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    const apply = (ts: number, value: string) =>
      registry.applyAttributes([[device.id, ts, [['key', string, value]]]]);
    const check = async (value: string, ts: number, version: number): Promise<void> => {
      const [read] = await registry.readAttributes(device.id, 'client');
      assert.deepEqual(read, { key: 'key', type: string, value, ts, version });
    };
    await apply(5, 'first');
    assert.deepEqual(await apply(4, 'late'), { written: 0, skipped: 0 });
    await check('first', 5, 1);
    await apply(5, 'same time');
    await check('same time', 5, 2);
    await apply(5, 'same time');
    await check('same time', 5, 2);
    await apply(6, 'same time');
    await check('same time', 6, 3);
  });

  tests.test('applying in any batches, and again, ends in the same state', async (registry) => {
    const key = fc.constantFrom('a', 'b', 'c');
    const value = fc.tuple(key, fc.constant(long), fc.bigInt(-3n, 3n));
    const message = fc.tuple(
      fc.nat(5),
      fc.array(value, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
    );
    let number = 0;
    const property = fc.asyncProperty(fc.array(message, { maxLength: 12 }), async (messages) => {
      number += 1;
      const { device } = await registry.createDevice({ name: `device ${number}` });
      const expected = new Map<string, { ts: number; value: bigint }>();
      const batches: AttributeRecord[][] = [[]];
      for (const [ts, entries, cut] of messages) {
        batches.at(-1)?.push([device.id, ts, entries]);
        if (cut) batches.push([]);
        for (const [name, , number] of entries) {
          if ((expected.get(name)?.ts ?? 0) <= ts) expected.set(name, { ts, value: number });
        }
      }
      // All of it twice, as after a crash before the journal was told.
      for (const batch of [...batches, ...batches]) await registry.applyAttributes(batch);
      const read = await registry.readAttributes(device.id, 'client');
      assert.deepEqual(
        new Map(read.map((attribute) => [attribute.key, [attribute.ts, attribute.value]])),
        new Map([...expected].map(([name, { ts, value }]) => [name, [ts, value]])),
      );
    });
    await fc.assert(property, { numRuns: 100 });
  });
}

function reading(tests: ContractTests): void {
  tests.test('attributes are read by scope and by keys, in the order of keys', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    const other = await registry.createDevice({ name: 'valve' });
    const quoted = '"] ü\'%';
    const keys = ['b', 'a', quoted, 'c'];
    const entries = keys.map((key) => [key, string, key] as const);
    await registry.applyAttributes([
      [device.id, 1, entries],
      [other.device.id, 1, [['a', string, 'of valve']]],
    ]);
    const check = async (wanted: string[] | undefined, expected: string[]): Promise<void> => {
      const read = await registry.readAttributes(device.id, 'client', wanted);
      assert.deepEqual(
        read.map(({ value }) => value),
        expected,
      );
    };
    await check(undefined, [quoted, 'a', 'b', 'c']);
    await check(['c', 'a', 'c', 'missing'], ['a', 'c']);
    await check([quoted], [quoted]);
    await check([], []);
    assert.deepEqual(await registry.readAttributes(device.id, 'shared'), []);
    assert.deepEqual(await registry.readAttributes(device.id, 'server', ['a']), []);
    assert.deepEqual(await registry.readAttributes(newDeviceId(), 'client'), []);
    await registry.deleteDevice(device.id);
    assert.deepEqual(await registry.readAttributes(device.id, 'client'), []);
  });
}

function hostile(tests: ContractTests): void {
  tests.test('what cannot be stored is skipped and holds nothing up', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    const gone = await registry.createDevice({ name: 'gone' });
    await registry.deleteDevice(gone.device.id);
    const summary = await registry.applyAttributes([
      [
        gone.device.id,
        1,
        [
          ['a', long, 1n],
          ['b', long, 2n],
        ],
      ],
      ['no id', 1, [['a', long, 1n]]],
      [device.id, Number.NaN, [['a', long, 1n]]],
      [
        device.id,
        1,
        [
          ['too large', long, 2n ** 63n],
          ['too small', long, -(2n ** 63n) - 1n],
          ['not a number', double, Number.NaN],
          ['not of its type', bool, 'true'],
          ['good', double, Number.POSITIVE_INFINITY],
        ],
      ],
    ]);
    assert.deepEqual(summary, { written: 1, skipped: 8 });
    const read = await registry.readAttributes(device.id, 'client');
    assert.deepEqual(
      read.map(({ key, value }) => [key, value]),
      [['good', Number.POSITIVE_INFINITY]],
    );
    assert.deepEqual(await registry.applyAttributes([]), { written: 0, skipped: 0 });
  });
}
