import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Chance, SecondChanceMap } from '../../../src/registry/second-chance-map.js';

interface Value extends Chance {
  readonly number: number;
}

test('what is used stays, what is not goes', () => {
  const evicted: string[] = [];
  const map = new SecondChanceMap<Value>(3, (key) => evicted.push(key));
  const put = (key: string): void => map.set(key, { used: false, number: 0 });
  const use = (key: string): void => {
    const value = map.get(key);
    assert.ok(value, key);
    value.used = true;
  };
  for (const key of ['a', 'b', 'c']) put(key);
  use('a');
  put('d');
  assert.deepEqual(evicted, ['b']);
  use('c');
  use('d');
  put('e');
  // The hand took the marks of c and d, came round, and found a, whose mark it took before.
  assert.deepEqual(evicted, ['b', 'a']);
  put('f');
  assert.deepEqual(evicted, ['b', 'a', 'c']);
  put('e');
  assert.equal(map.size, 3);
  map.delete('e');
  put('g');
  assert.deepEqual(evicted, ['b', 'a', 'c']);
  map.clear();
  assert.equal(map.size, 0);
  for (const key of ['h', 'i', 'j', 'k']) put(key);
  assert.deepEqual(evicted, ['b', 'a', 'c', 'h']);
});

test('it is a map that never holds more than it may and tells of all it removes', () => {
  const command = fc.tuple(fc.constantFrom('set', 'use', 'delete', 'clear'), fc.nat(200));
  const property = fc.property(
    fc.integer({ min: 1, max: 80 }),
    fc.array(command, { maxLength: 500 }),
    (entriesMax, commands) => {
      const model = new Map<string, number>();
      const map = new SecondChanceMap<Value>(entriesMax, (key, { number }) => {
        assert.equal(model.get(key), number);
        model.delete(key);
      });
      for (const [index, [kind, key]] of commands.entries()) {
        const name = String(key);
        if (kind === 'set') {
          map.set(name, { used: false, number: index });
          model.set(name, index);
        } else if (kind === 'use') {
          const value = map.get(name);
          assert.equal(value?.number, model.get(name));
          if (value) value.used = true;
        } else if (kind === 'delete') {
          map.delete(name);
          model.delete(name);
        } else if (key === 0) {
          map.clear();
          model.clear();
        }
        assert.equal(map.size, model.size);
        assert.ok(map.size <= entriesMax);
      }
    },
  );
  fc.assert(property, { numRuns: 300 });
});
