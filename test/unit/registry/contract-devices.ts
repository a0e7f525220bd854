import assert from 'node:assert/strict';
import { deviceIdOfWords, newDeviceId } from '../../../src/core/ids.js';
import { createDevice } from '../../../src/registry/device.js';
import { type ContractTests, refuses } from './contract-test.js';

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function deviceContract(tests: ContractTests): void {
  creating(tests);
  changing(tests);
  listing(tests);
  names(tests);
}

function creating(tests: ContractTests): void {
  tests.test('a device is created with defaults and found by id and name', async (registry) => {
    const { device, token } = await registry.createDevice({ name: 'pump' });
    assert.match(device.id, uuidForm);
    assert.match(token, /^[A-Za-z0-9]{20}$/);
    const { id, version, ...rest } = device;
    assert.deepEqual(rest, {
      name: 'pump',
      profile: 'default',
      label: '',
      enabled: true,
      gateway: false,
      normaliseFlags: 0,
      createdAt: Date.UTC(2026, 0, 1),
    });
    assert.ok(version > 0);
    assert.deepEqual(await registry.findDevice(id), device);
    assert.deepEqual(await registry.findDeviceByName('pump'), device);
    assert.deepEqual(await registry.findDevices([newDeviceId(), id]), [device]);
    assert.equal(await registry.findDevice(newDeviceId()), undefined);
    assert.equal(await registry.findDeviceByName('Pump'), undefined);
    const { words } = createDevice(device);
    assert.equal(deviceIdOfWords(words, 0), id);
  });

  tests.test('a device keeps every field it is given', async (registry) => {
    await registry.createProfile({ name: 'meter', castNumericStrings: true });
    const { device, token } = await registry.createDevice({
      name: '  Zähler 7 ',
      token: 'chosen-token',
      profile: 'meter',
      label: ' cellar ',
      enabled: false,
      gateway: true,
    });
    assert.equal(token, 'chosen-token');
    assert.equal(device.name, 'Zähler 7');
    assert.equal(device.profile, 'meter');
    assert.equal(device.label, 'cellar');
    assert.equal(device.enabled, false);
    assert.equal(device.gateway, true);
    assert.equal(device.normaliseFlags, 1);
  });

  tests.test('names and tokens are unique; what is refused leaves nothing', async (registry) => {
    await registry.createDevice({ name: 'pump', token: 'first' });
    await refuses(registry.createDevice({ name: ' pump ' }), 'SLUICE_DEVICE_EXISTS', /"pump"/);
    const second = { name: 'valve', token: 'first' };
    await refuses(registry.createDevice(second), 'SLUICE_TOKEN_TAKEN', /"valve".*in use/);
    const third = { name: 'fan', profile: 'missing' };
    await refuses(registry.createDevice(third), 'SLUICE_PROFILE_UNKNOWN', /"missing"/);
    assert.equal(await registry.countDevices(), 1);
    await registry.createDevice({ name: 'valve', token: 'second' });
    assert.equal(await registry.countDevices(), 2);
  });
}

function changing(tests: ContractTests): void {
  tests.test('an update changes what it names and nothing else', async (registry) => {
    await registry.createProfile({ name: 'meter', tsPolicy: 'clamp' });
    const { device } = await registry.createDevice({ name: 'pump', label: 'old', gateway: true });
    const labelled = await registry.updateDevice(device.id, { label: 'new' });
    assert.deepEqual(labelled, { ...device, label: 'new', version: labelled.version });
    assert.ok(labelled.version > device.version);
    const moved = await registry.updateDevice(device.id, {
      name: 'pump 2',
      profile: 'meter',
      enabled: false,
      gateway: false,
      label: '',
    });
    assert.deepEqual(moved, {
      ...device,
      name: 'pump 2',
      profile: 'meter',
      label: '',
      enabled: false,
      gateway: false,
      normaliseFlags: 4,
      version: moved.version,
    });
    assert.deepEqual(await registry.findDeviceByName('pump 2'), moved);
    assert.deepEqual(await registry.updateDevice(device.id, { enabled: false }), moved);
  });

  tests.test('an update is refused for what is unknown or taken', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    await registry.createDevice({ name: 'valve' });
    const { id } = device;
    await refuses(registry.updateDevice(id, { name: 'valve' }), 'SLUICE_DEVICE_EXISTS', /valve/);
    await refuses(registry.updateDevice(id, { profile: 'x' }), 'SLUICE_PROFILE_UNKNOWN', /"x"/);
    await refuses(registry.updateDevice(newDeviceId(), {}), 'SLUICE_DEVICE_UNKNOWN', /id/);
    assert.deepEqual(await registry.findDevice(id), device);
  });

  tests.test(
    'a deleted device is gone with its token; name and token are free',
    async (registry) => {
      const { device } = await registry.createDevice({ name: 'pump', token: 'chosen' });
      assert.equal(await registry.deleteDevice(device.id), true);
      assert.equal(await registry.deleteDevice(device.id), false);
      assert.equal(await registry.findDevice(device.id), undefined);
      assert.equal(await registry.countDevices(), 0);
      const again = await registry.createDevice({ name: 'pump', token: 'chosen' });
      assert.notEqual(again.device.id, device.id);
    },
  );
}

function listing(tests: ContractTests): void {
  tests.test('devices are listed by name, a page at a time', async (registry) => {
    await registry.createProfile({ name: 'meter' });
    for (const name of ['d', 'b', 'a', 'e', 'c']) {
      const profile = name < 'c' ? 'meter' : 'default';
      await registry.createDevice({ name, profile, label: `label ${name}%` });
    }
    const check = async (query: object, expected: string): Promise<void> => {
      const page = await registry.listDevices({ limit: 10, ...query });
      assert.equal(page.map(({ name }) => name).join(''), expected);
    };
    await check({}, 'abcde');
    await check({ limit: 2 }, 'ab');
    await check({ limit: 2, after: 'b' }, 'cd');
    await check({ limit: 2, after: 'd' }, 'e');
    await check({ limit: 2, after: 'e' }, '');
    await check({ limit: 2, offset: 3 }, 'de');
    await check({ profile: 'meter' }, 'ab');
    await check({ profile: 'default', after: 'c' }, 'de');
    await check({ search: 'LABEL C' }, 'c');
    await check({ search: '%' }, 'abcde');
    await check({ search: 'a%' }, 'a');
    await check({ search: '_' }, '');
    await check({ search: 'nothing' }, '');
    assert.equal(await registry.countDevices(), 5);
    assert.equal(await registry.countDevices({ profile: 'meter' }), 2);
    assert.equal(await registry.countDevices({ search: 'abel D' }), 1);
  });
}

function names(tests: ContractTests): void {
  tests.test('names, labels and tokens that cannot be used are refused', async (registry) => {
    const check = async (draft: object, message: RegExp): Promise<void> => {
      const promise = registry.createDevice({ name: 'pump', ...draft });
      await refuses(promise, 'SLUICE_ARGUMENT_INVALID', message);
    };
    await check({ name: '' }, /device name: it is empty/);
    await check({ name: ' \t ' }, /device name: it is empty/);
    await check({ name: 'x'.repeat(256) }, /device name: it has more than 255 characters/);
    await check({ name: 'a\nb' }, /device name: it contains control characters/);
    await check({ name: 'a\u0085b' }, /device name: it contains control characters/);
    await check({ name: 'a\ud800b' }, /device name: it contains control characters/);
    await check({ label: 'y'.repeat(256) }, /label: it has more than 255/);
    await check({ token: '' }, /access token: it is empty/);
    await check({ token: 'z'.repeat(256) }, /access token: it has 256 bytes, at most 255/);
    await check({ token: 'ü'.repeat(128) }, /access token: it has 256 bytes, at most 255/);
    await check({ token: 'a\u0000b' }, /access token: it contains control characters/);
    assert.equal(await registry.countDevices(), 0);
    const name = '😀'.repeat(255);
    const { device } = await registry.createDevice({ name, token: `${'ü'.repeat(127)}!` });
    assert.equal(device.name, name);
  });
}
