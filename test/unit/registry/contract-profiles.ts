import assert from 'node:assert/strict';
import type { Profile, ProfileId, TsPolicy } from '../../../src/registry/profile.js';
import type { Registry } from '../../../src/registry/registry.js';
import { type ContractTests, refuses } from './contract-test.js';

async function existing(registry: Registry, name: string): Promise<Profile> {
  const profile = await registry.findProfileByName(name);
  assert.ok(profile, name);
  return profile;
}

export function profileContract(tests: ContractTests): void {
  keeping(tests);
  refusing(tests);
  flags(tests);
}

function keeping(tests: ContractTests): void {
  tests.test('the default profile exists and stays', async (registry) => {
    const profile = await existing(registry, 'default');
    const { id, ...rest } = profile;
    assert.deepEqual(rest, {
      name: 'default',
      castNumericStrings: false,
      tsPolicy: 'accept',
      settings: {},
    });
    await refuses(registry.deleteProfile(id), 'SLUICE_PROFILE_IN_USE', /delete profile "default"/);
    const renamed = registry.updateProfile(id, { name: 'other' });
    await refuses(renamed, 'SLUICE_PROFILE_IN_USE', /rename profile "default"/);
    const changed = await registry.updateProfile(id, { castNumericStrings: true });
    assert.deepEqual(changed, { ...profile, castNumericStrings: true });
  });

  tests.test('a profile keeps what it is given, settings as they are', async (registry) => {
    const settings = { provisioning: { key: 'k', many: [1, 2.5, null] }, 'ü"': true };
    const draft = { name: 'meter', castNumericStrings: true, settings } as const;
    const profile = await registry.createProfile({ ...draft, tsPolicy: 'reject-future' });
    assert.deepEqual(profile, { ...draft, tsPolicy: 'reject-future', id: profile.id });
    assert.deepEqual(await existing(registry, 'meter'), profile);
    const listed = await registry.listProfiles();
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['default', 'meter'],
    );
    const moved = await registry.updateProfile(profile.id, { name: 'counter', tsPolicy: 'clamp' });
    assert.deepEqual(moved, { ...profile, name: 'counter', tsPolicy: 'clamp' });
    await registry.deleteProfile(profile.id);
    assert.equal(await registry.findProfileByName('counter'), undefined);
  });
}

function refusing(tests: ContractTests): void {
  tests.test('a profile is refused when it is taken, in use or unknown', async (registry) => {
    const profile = await registry.createProfile({ name: 'meter' });
    const taken = registry.createProfile({ name: 'meter' });
    await refuses(taken, 'SLUICE_PROFILE_EXISTS', /"meter"/);
    const renamed = registry.updateProfile(profile.id, { name: 'default' });
    await refuses(renamed, 'SLUICE_PROFILE_EXISTS', /"default"/);
    await registry.createDevice({ name: 'pump', profile: 'meter' });
    await refuses(registry.deleteProfile(profile.id), 'SLUICE_PROFILE_IN_USE', /devices have it/);
    const unknown = '12345678-1234-4234-8234-123456789012' as ProfileId;
    await refuses(registry.deleteProfile(unknown), 'SLUICE_PROFILE_UNKNOWN', /1234/);
    const policy = 'whatever' as TsPolicy;
    const odd = registry.createProfile({ name: 'odd', tsPolicy: policy });
    await refuses(odd, 'SLUICE_ARGUMENT_INVALID', /timestamp policy "whatever"/);
  });
}

function flags(tests: ContractTests): void {
  tests.test('devices show the flags and the name of their profile', async (registry) => {
    const profile = await registry.createProfile({ name: 'meter' });
    const { device } = await registry.createDevice({ name: 'pump', profile: 'meter' });
    const check = async (patch: object, flags: number): Promise<void> => {
      await registry.updateProfile(profile.id, patch);
      assert.equal((await registry.findDevice(device.id))?.normaliseFlags, flags);
    };
    await check({ castNumericStrings: true }, 1);
    await check({ tsPolicy: 'reject-future' }, 3);
    await check({ tsPolicy: 'clamp' }, 5);
    await check({ castNumericStrings: false }, 4);
    await check({ tsPolicy: 'accept', name: 'counter' }, 0);
    assert.equal((await registry.findDevice(device.id))?.profile, 'counter');
  });

  tests.test('there are at most 1,000 profiles', async (registry) => {
    for (let count = 1; count < 1000; count += 1) {
      await registry.createProfile({ name: `kind ${count}` });
    }
    const more = registry.createProfile({ name: 'one more' });
    await refuses(more, 'SLUICE_ARGUMENT_INVALID', /there are 1000 already/);
  });
}
