import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { limits } from '../../../src/core/limits.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createMetrics } from '../../../src/core/metrics.js';
import {
  CredentialCache,
  type CredentialCacheOptions,
  type CredentialSource,
} from '../../../src/registry/credential-cache.js';
import type { Device } from '../../../src/registry/device.js';
import type { CredentialMatch } from '../../../src/registry/registry.js';
import type { SqliteRegistry } from '../../../src/registry/sqlite-registry.js';
import { ManualClock, openTestRegistry, soon } from '../../support/registry.js';
import { refuses } from './contract-test.js';

const options: CredentialCacheOptions = {
  entriesMax: 100,
  negativeEntriesMax: 20,
  negativeMs: 5_000,
  tokenBytesMax: 255,
};

interface Bench {
  readonly registry: SqliteRegistry;
  readonly cache: CredentialCache;
  readonly clock: ManualClock;
  /** Calls of `findCredential`. */
  readonly asked: () => number;
  /** What `onChange` told, as `name|deleted enabled|disabled ended|-`. */
  readonly told: string[];
  /** Resolves when the next change was told. */
  readonly next: () => Promise<void>;
}

/** `find` stands between the cache and the registry's `findCredential`. */
async function setUp(
  t: TestContext,
  change: Partial<CredentialCacheOptions> = {},
  find: (
    ask: () => Promise<CredentialMatch | undefined>,
  ) => Promise<CredentialMatch | undefined> = (ask) => ask(),
): Promise<Bench> {
  const clock = new ManualClock();
  const registry = await openTestRegistry(t, clock);
  let asked = 0;
  const source: CredentialSource = {
    findCredential: (hash) => {
      asked += 1;
      return find(() => registry.findCredential(hash));
    },
    findDevices: (ids) => registry.findDevices(ids),
    listDevices: (query) => registry.listDevices(query),
    listProfiles: () => registry.listProfiles(),
    lastChange: () => registry.lastChange(),
    changes: (since, limit) => registry.changes(since, limit),
    changedDevices: (since, limit) => registry.changedDevices(since, limit),
    watch: (listener) => registry.watch(listener),
  };
  const cache = new CredentialCache(
    clock,
    silentLogger,
    createMetrics(),
    { ...options, ...change },
    source,
  );
  const told: string[] = [];
  let wake = (): void => {};
  cache.onChange((_, device, ended) => {
    const state = device?.enabled === false ? 'disabled' : 'enabled';
    told.push(`${device?.name ?? 'deleted'} ${state} ${ended ? 'ended' : '-'}`);
    wake();
  });
  const next = (): Promise<void> => soon(new Promise((resolve) => (wake = () => resolve())));
  await cache.start();
  t.after(() => cache.close());
  return { registry, cache, clock, asked: () => asked, told, next };
}

test('a token is asked for once and then known', async (t) => {
  const { registry, cache, asked } = await setUp(t);
  const { device } = await registry.createDevice({ name: 'pump', token: 'secret' });
  assert.equal(cache.peekToken('secret'), undefined);
  const resolved = await cache.resolveToken('secret');
  assert.ok(resolved);
  const { words, ...fields } = resolved;
  const { createdAt, version, ...expected } = device;
  assert.deepEqual(fields, expected);
  assert.equal(cache.peekToken('secret'), resolved);
  assert.equal(await cache.resolveToken('secret'), resolved);
  assert.equal(asked(), 1);
});

test('a wrong token is known to be wrong, for five seconds', async (t) => {
  const { cache, clock, asked } = await setUp(t);
  assert.equal(await cache.resolveToken('wrong'), null);
  assert.equal(cache.peekToken('wrong'), null);
  clock.advance(4_999);
  assert.equal(await cache.resolveToken('wrong'), null);
  assert.equal(asked(), 1);
  clock.advance(1);
  assert.equal(cache.peekToken('wrong'), undefined);
  assert.equal(await cache.resolveToken('wrong'), null);
  assert.equal(asked(), 2);
});

test('what can be no token is nobody’s without asking', async (t) => {
  const { cache, asked } = await setUp(t);
  assert.equal(cache.peekToken(''), null);
  assert.equal(cache.peekToken('x'.repeat(256)), null);
  assert.equal(await cache.resolveToken('x'.repeat(100_000)), null);
  assert.equal(await cache.resolveToken('half \ud83d'), null);
  assert.equal(asked(), 0);
  assert.deepEqual(cache.sizes(), { known: 0, unknown: 0, devices: 0 });
});

test('half a character does not pass for the replacement character', async (t) => {
  const { registry, cache } = await setUp(t);
  await registry.createDevice({ name: 'pump', token: 'a\ufffd' });
  assert.equal((await cache.resolveToken('a\ufffd'))?.name, 'pump');
  assert.equal(await cache.resolveToken('a\ud800'), null);
});

test('any number of callers make one look-up, also when it fails', async (t) => {
  let fail = false;
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { registry, cache, asked } = await setUp(t, {}, async (ask) => {
    await gate;
    if (fail) throw new Error('away');
    return ask();
  });
  await registry.createDevice({ name: 'pump', token: 'secret' });
  const callers = Array.from({ length: 100 }, () => cache.resolveToken('secret'));
  release();
  const devices = new Set(await Promise.all(callers));
  assert.equal(devices.size, 1);
  assert.equal([...devices][0]?.name, 'pump');
  assert.equal(asked(), 1);
  fail = true;
  const failing = Array.from({ length: 10 }, () => cache.resolveToken('other'));
  const results = await Promise.allSettled(failing);
  assert.ok(results.every(({ status }) => status === 'rejected'));
  assert.equal(asked(), 2);
  fail = false;
  assert.equal(await cache.resolveToken('other'), null);
});

test('changes of a device are told and seen', async (t) => {
  const { registry, cache, told, next } = await setUp(t);
  const { device } = await registry.createDevice({ name: 'pump', token: 'secret' });
  await cache.resolveToken('secret');
  const change = async (run: () => Promise<unknown>): Promise<Device | null> => {
    const heard = next();
    await run();
    await heard;
    return cache.resolveToken('secret');
  };
  const disabled = await change(() => registry.updateDevice(device.id, { enabled: false }));
  assert.equal(disabled?.enabled, false);
  const enabled = await change(() => registry.updateDevice(device.id, { enabled: true }));
  assert.equal(enabled?.enabled, true);
  const added = await change(() => registry.addToken(device.id, { token: 'second' }));
  assert.equal(added?.name, 'pump');
  const rotated = await change(() => registry.rotateToken(device.id, 'third', 0));
  assert.equal(rotated, null);
  assert.equal((await cache.resolveToken('third'))?.name, 'pump');
  const deleted = await change(() => registry.deleteDevice(device.id));
  assert.equal(deleted, null);
  assert.equal(await cache.resolveToken('third'), null);
  assert.deepEqual(told, [
    'pump disabled -',
    'pump enabled -',
    'pump enabled -',
    'pump enabled ended',
    'deleted enabled ended',
  ]);
});

test('a token that is given to a new device is no longer wrong', async (t) => {
  const { registry, cache } = await setUp(t);
  assert.equal(await cache.resolveToken('early'), null);
  const imported = registry.importDevices({ dryRun: false });
  const row = { profile: undefined, label: undefined, gateway: undefined };
  await imported.add([{ name: 'pump', token: 'early', ...row }]);
  assert.equal((await cache.resolveToken('early'))?.name, 'pump');
});

test('a change of a profile is told for each of its devices', async (t) => {
  const { registry, cache, told, next } = await setUp(t);
  const profile = await registry.createProfile({ name: 'meter' });
  for (const name of ['a', 'b']) {
    await registry.createDevice({ name, token: `token ${name}`, profile: 'meter' });
  }
  await registry.createDevice({ name: 'c', token: 'token c' });
  for (const name of ['a', 'b', 'c']) await cache.resolveToken(`token ${name}`);
  const heard = next();
  await registry.updateProfile(profile.id, { castNumericStrings: true });
  await heard;
  assert.deepEqual(told, ['a enabled -', 'b enabled -']);
  assert.equal((await cache.resolveToken('token a'))?.normaliseFlags, 1);
  assert.equal((await cache.resolveToken('token c'))?.normaliseFlags, 0);
});

test('a credential ends at its time, in memory too, and that is told', async (t) => {
  const { registry, cache, clock, told, next } = await setUp(t);
  const { device } = await registry.createDevice({ name: 'pump', token: 'old' });
  await cache.resolveToken('old');
  const rotated = next();
  await registry.rotateToken(device.id, 'new', 10_000);
  await rotated;
  assert.equal((await cache.resolveToken('old'))?.name, 'pump');
  clock.advance(9_999);
  assert.equal(cache.peekToken('old')?.name, 'pump');
  const ended = next();
  clock.advance(1);
  assert.equal(cache.peekToken('old'), undefined);
  assert.equal(await cache.resolveToken('old'), null);
  await ended;
  assert.equal((await cache.resolveToken('new'))?.name, 'pump');
  assert.deepEqual(told, ['pump enabled -', 'pump enabled ended']);
});

test('a change that overtakes a look-up makes it look again', async (t) => {
  let overtake: (() => Promise<void>) | undefined;
  const { registry, cache, asked, next } = await setUp(t, {}, async (ask) => {
    const match = await ask();
    await overtake?.();
    return match;
  });
  const { device } = await registry.createDevice({ name: 'pump', token: 'secret' });
  overtake = async () => {
    overtake = undefined;
    const heard = next();
    await registry.rotateToken(device.id, 'new', 0);
    await heard;
  };
  // The look-up found the device before it lost the token; nobody may be let in with it.
  assert.equal(await cache.resolveToken('secret'), null);
  assert.equal(asked(), 2);
  overtake = async () => {
    overtake = undefined;
    const heard = next();
    await registry.updateDevice(device.id, { enabled: false });
    await heard;
  };
  assert.equal((await cache.resolveToken('new'))?.enabled, false);
});

test('the registry out of reach is told, and nothing is remembered of it', async (t) => {
  const { registry, cache } = await setUp(t);
  await registry.createDevice({ name: 'pump', token: 'secret' });
  await cache.resolveToken('secret');
  await registry.close();
  await refuses(cache.resolveToken('other'), 'SLUICE_REGISTRY_FAILED', /look up a credential/);
  assert.equal(cache.peekToken('other'), undefined);
  assert.equal((await cache.resolveToken('secret'))?.name, 'pump');
});

test('memory is bounded for known and for wrong tokens', async (t) => {
  const { registry, cache, asked } = await setUp(t, { entriesMax: 50, negativeEntriesMax: 20 });
  const imported = registry.importDevices({ dryRun: false });
  const row = { profile: undefined, label: undefined, gateway: undefined };
  const rows = Array.from({ length: 500 }, (_, number) => ({
    name: `device ${number}`,
    token: `token ${number}`,
    ...row,
  }));
  await imported.add(rows);
  for (const { token } of rows) {
    // One that is always in use survives all others.
    assert.equal((await cache.resolveToken('token 0'))?.name, 'device 0');
    await cache.resolveToken(token);
    await cache.resolveToken(`wrong ${token}`);
    const { known, unknown, devices } = cache.sizes();
    assert.ok(known <= 50 && unknown <= 20 && devices <= known);
  }
  assert.equal(asked(), 1000);
  assert.equal((await cache.resolveToken('token 250'))?.name, 'device 250');
  assert.equal(asked(), 1001);
});

test('a feed that has forgotten makes everything change', async (t) => {
  const { registry, cache, clock, told, next } = await setUp(t);
  const pump = await registry.createDevice({ name: 'pump', token: 'a' });
  const valve = await registry.createDevice({ name: 'valve', token: 'b' });
  await cache.resolveToken('a');
  await cache.resolveToken('b');
  await registry.deleteDevice(valve.device.id);
  await registry.updateDevice(pump.device.id, { enabled: false });
  // In the same turn, before the feed was read: all of it becomes too old to be kept.
  clock.advance(limits.registryChangesKeptMs + 1);
  const heard = next();
  await registry.createProfile({ name: 'new' });
  await heard;
  assert.equal((await cache.resolveToken('a'))?.enabled, false);
  assert.equal(await cache.resolveToken('b'), null);
  assert.ok(told.includes('deleted enabled ended'), told.join());
});

test('hits and misses reach the metrics', async (t) => {
  const clock = new ManualClock();
  const registry = await openTestRegistry(t, clock);
  const metrics = createMetrics();
  const cache = new CredentialCache(clock, silentLogger, metrics, options, registry);
  await cache.start();
  await registry.createDevice({ name: 'pump', token: 'secret' });
  await cache.resolveToken('secret');
  for (let number = 0; number < 3; number += 1) cache.peekToken('secret');
  await cache.resolveToken('wrong');
  cache.peekToken('wrong');
  cache.close();
  const value = async (name: string): Promise<number | undefined> =>
    (await metrics.registry.getSingleMetric(name)?.get())?.values[0]?.value;
  assert.equal(await value('sluice_registry_cache_hits_total'), 4);
  assert.equal(await value('sluice_registry_cache_misses_total'), 2);
});
