import assert from 'node:assert/strict';
import { limits } from '../../../src/core/limits.js';
import type { Change, Registry } from '../../../src/registry/registry.js';
import { soon } from '../../support/registry.js';
import type { ContractTests } from './contract-test.js';

const brief = ({ entity, kind, id }: Change): string => `${entity} ${kind} ${id}`;

async function newest(registry: Registry, since: number): Promise<string[]> {
  const page = await registry.changes(since, 100);
  assert.equal(page.gap, false);
  return page.changes.map(brief);
}

export function changeContract(tests: ContractTests): void {
  feed(tests);
  retention(tests);
  deviceFeed(tests);
  watching(tests);
}

function feed(tests: ContractTests): void {
  tests.test(
    'every change is in the feed, in order; what changes nothing is not',
    async (registry) => {
      let position = await registry.lastChange();
      const check = async (expected: string[]): Promise<void> => {
        assert.deepEqual(await newest(registry, position), expected);
        const last = await registry.lastChange();
        assert.ok(expected.length === 0 ? last === position : last > position);
        position = last;
      };
      await check([]);
      const { device } = await registry.createDevice({ name: 'pump' });
      const { id } = device;
      await check([`device created ${id}`]);
      await registry.updateDevice(id, { enabled: false });
      await check([`device updated ${id}`]);
      await registry.updateDevice(id, { enabled: false });
      await check([]);
      await registry.addToken(id, {});
      await check([`credential added ${id}`]);
      await registry.rotateToken(id, undefined, 1_000);
      await check([`credential added ${id}`]);
      await registry.rotateToken(id, undefined, 0);
      await check([`credential removed ${id}`, `credential added ${id}`]);
      const [credential] = await registry.listCredentials(id);
      assert.ok(credential);
      await registry.removeCredential(id, credential.id);
      await check([`credential removed ${id}`]);
      const profile = await registry.createProfile({ name: 'meter' });
      await check([`profile created ${profile.id}`]);
      await registry.updateProfile(profile.id, { castNumericStrings: true });
      await check([`profile updated ${profile.id}`]);
      await registry.deleteProfile(profile.id);
      await check([`profile deleted ${profile.id}`]);
      await assert.rejects(registry.createDevice({ name: 'pump' }));
      await check([]);
      await registry.deleteDevice(id);
      await check([`device deleted ${id}`]);
      await registry.deleteDevice(id);
      await check([]);
    },
  );

  tests.test('the feed is read in pages', async (registry) => {
    const ids: string[] = [];
    for (let number = 0; number < 5; number += 1) {
      ids.push((await registry.createDevice({ name: `device ${number}` })).device.id);
    }
    const read: string[] = [];
    for (let position = 0; ; ) {
      const { changes } = await registry.changes(position, 2);
      assert.ok(changes.length <= 2);
      read.push(...changes.map(({ id }) => id));
      position = changes.at(-1)?.seq ?? -1;
      if (position < 0) break;
    }
    assert.deepEqual(read, ids);
  });
}

function retention(tests: ContractTests): void {
  tests.test('old changes are removed, and who needed them is told', async (registry, clock) => {
    const start = await registry.lastChange();
    const { device } = await registry.createDevice({ name: 'old' });
    const middle = await registry.lastChange();
    clock.advance(limits.registryChangesKeptMs + 1);
    await registry.createDevice({ name: 'new' });
    const pageOfStart = await registry.changes(start, 10);
    assert.equal(pageOfStart.gap, true);
    const pageOfMiddle = await registry.changes(middle, 10);
    assert.equal(pageOfMiddle.gap, false);
    assert.equal(pageOfMiddle.changes.length, 1);
    assert.notEqual(pageOfMiddle.changes[0]?.id, device.id);
  });

  tests.test('a clock set back does not turn the numbers back', async (registry, clock) => {
    const first = await registry.createDevice({ name: 'first' });
    clock.advance(-86_400_000);
    const second = await registry.createDevice({ name: 'second' });
    assert.ok(second.device.version > first.device.version);
    const names = (await registry.changedDevices(0, 10)).map(({ name }) => name);
    assert.deepEqual(names, ['first', 'second']);
  });
}

function deviceFeed(tests: ContractTests): void {
  tests.test('changed devices carry their latest state, deleted ones a mark', async (registry) => {
    const pump = await registry.createDevice({ name: 'pump', label: 'l', gateway: true });
    const valve = await registry.createDevice({ name: 'valve' });
    const fan = await registry.createDevice({ name: 'fan' });
    await registry.updateDevice(pump.device.id, { enabled: false });
    await registry.deleteDevice(valve.device.id);
    const devices = await registry.changedDevices(0, 10);
    const versions = devices.map(({ version }) => version);
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    );
    const none = { profile: '', label: '', enabled: false, gateway: false };
    const some = { profile: 'default', enabled: true, gateway: false, label: '' };
    assert.deepEqual(
      devices.map(({ version, ...rest }) => rest),
      [
        { id: fan.device.id, name: 'fan', ...some, deleted: false },
        {
          id: pump.device.id,
          name: 'pump',
          ...some,
          label: 'l',
          gateway: true,
          enabled: false,
          deleted: false,
        },
        { id: valve.device.id, name: 'valve', ...none, deleted: true },
      ],
    );
    assert.equal(await registry.lastChange(), versions[2]);
    assert.deepEqual(await registry.changedDevices(versions[2] ?? 0, 10), []);
    assert.equal((await registry.changedDevices(versions[0] ?? 0, 1))[0]?.name, 'pump');
  });

  tests.test('renaming a profile changes its devices, each with a version', async (registry) => {
    const profile = await registry.createProfile({ name: 'meter' });
    for (const name of ['a', 'b', 'c']) await registry.createDevice({ name, profile: 'meter' });
    await registry.createDevice({ name: 'other' });
    const position = await registry.lastChange();
    await registry.updateProfile(profile.id, { castNumericStrings: true });
    assert.deepEqual(await registry.changedDevices(position, 10), []);
    const next = await registry.lastChange();
    await registry.updateProfile(profile.id, { name: 'counter' });
    const changed = await registry.changedDevices(next, 10);
    assert.deepEqual(
      changed.map(({ name, profile: of }) => `${name} ${of}`),
      ['a counter', 'b counter', 'c counter'],
    );
    assert.equal(new Set(changed.map(({ version }) => version)).size, 3);
    assert.ok((changed[2]?.version ?? 0) < (await registry.lastChange()));
  });
}

function watching(tests: ContractTests): void {
  tests.test('watchers hear of changes until they stop', async (registry) => {
    let calls = 0;
    const stop = registry.watch(() => {
      calls += 1;
    });
    await registry.createDevice({ name: 'pump' });
    assert.equal(calls, 1);
    stop();
    await registry.createDevice({ name: 'valve' });
    assert.equal(calls, 1);
  });

  tests.test('watched credentials that end are a change', async (registry, clock) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'old' });
    await registry.rotateToken(device.id, 'new', 5_000);
    const position = await registry.lastChange();
    const changed = new Promise<void>((resolve) => {
      registry.watch(() => resolve());
    });
    clock.advance(5_000);
    await soon(changed);
    assert.deepEqual(await newest(registry, position), [`credential removed ${device.id}`]);
  });
}
