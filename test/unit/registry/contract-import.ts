import assert from 'node:assert/strict';
import type { DeviceImport, ImportRow } from '../../../src/registry/device-import.js';
import { tokenHash } from '../../../src/registry/token.js';
import type { ContractTests } from './contract-test.js';

function row(name: string, fields: Partial<ImportRow> = {}): ImportRow {
  const nothing = { token: undefined, profile: undefined, label: undefined, gateway: undefined };
  return { ...nothing, ...fields, name };
}

/** Outcomes as words: created, unchanged, or the code and the message of a refusal. */
async function add(imported: DeviceImport, rows: ImportRow[]): Promise<string[]> {
  const outcomes = await imported.add(rows);
  return outcomes.map((outcome) =>
    outcome.kind === 'refused' ? `${outcome.error.code} ${outcome.error.message}` : outcome.kind,
  );
}

export function importContract(tests: ContractTests): void {
  storing(tests);
  repeating(tests);
  refusing(tests);
}

function storing(tests: ContractTests): void {
  tests.test('an import creates devices, their tokens and profiles', async (registry) => {
    const imported = registry.importDevices({ dryRun: false });
    const rows = [
      row('a'),
      row(' b ', { token: 'token b', profile: 'meter', label: ' roof ', gateway: true }),
      row('c', { profile: ' meter ' }),
      row('d', { profile: ' other ' }),
    ];
    assert.deepEqual(await add(imported, rows), ['created', 'created', 'created', 'created']);
    assert.deepEqual(imported.profilesCreated(), ['meter', 'other']);
    await imported.finish();
    const b = await registry.findDeviceByName('b');
    assert.ok(b);
    const { id, version, createdAt, ...rest } = b;
    assert.deepEqual(rest, {
      name: 'b',
      profile: 'meter',
      label: 'roof',
      enabled: true,
      gateway: true,
      normaliseFlags: 0,
    });
    const match = await registry.findCredential(tokenHash('token b'));
    assert.deepEqual(match?.device, b);
    const a = await registry.findDeviceByName('a');
    assert.match((a && (await registry.readToken(a.id)))?.token ?? '', /^[A-Za-z0-9]{20}$/);
    const names = (await registry.changedDevices(0, 10)).map(({ name }) => name);
    assert.deepEqual(names, ['a', 'b', 'c', 'd']);
    assert.equal((await registry.changes(0, 10)).changes.length, 6);
  });

  tests.test('a dry run says the same and stores nothing', async (registry) => {
    await registry.createDevice({ name: 'there', token: 'taken', label: 'l' });
    const before = await registry.lastChange();
    const imported = registry.importDevices({ dryRun: true });
    const first = [row('a', { token: 't1', profile: 'meter' }), row('b', { token: 't2' })];
    assert.deepEqual(await add(imported, first), ['created', 'created']);
    const again = [
      row('a', { token: 't1', profile: 'meter' }),
      row('a', { label: 'x' }),
      row('c', { token: 't2' }),
      row('d', { token: 'taken' }),
      row('there', { token: 'taken', label: 'l' }),
      row('there', { label: 'm' }),
    ];
    assert.deepEqual(await add(imported, again), [
      'unchanged',
      'SLUICE_DEVICE_EXISTS cannot import device "a": it exists with the label ""',
      'SLUICE_TOKEN_TAKEN cannot import device "c": another device has its access token',
      'SLUICE_TOKEN_TAKEN cannot import device "d": another device has its access token',
      'unchanged',
      'SLUICE_DEVICE_EXISTS cannot import device "there": it exists with the label "l"',
    ]);
    assert.deepEqual(imported.profilesCreated(), ['meter']);
    await imported.finish();
    assert.equal(await registry.countDevices(), 1);
    assert.equal(await registry.lastChange(), before);
    assert.equal(await registry.findProfileByName('meter'), undefined);
    const second = registry.importDevices({ dryRun: true });
    assert.deepEqual(await add(second, first), ['created', 'created']);
    await second.finish();
  });
}

function repeating(tests: ContractTests): void {
  tests.test('an import that was cut off goes on where it ended', async (registry) => {
    const rows = ['a', 'b', 'c'].map((name) => row(name, { token: `token ${name}`, label: name }));
    const first = registry.importDevices({ dryRun: false });
    assert.deepEqual(await add(first, rows.slice(0, 2)), ['created', 'created']);
    const second = registry.importDevices({ dryRun: false });
    const outcomes = await add(second, rows);
    assert.deepEqual(outcomes, ['unchanged', 'unchanged', 'created']);
    const third = registry.importDevices({ dryRun: false });
    const position = await registry.lastChange();
    const stated = [row('a'), row('b', { label: 'b' }), row('c', { gateway: false })];
    assert.deepEqual(await add(third, stated), ['unchanged', 'unchanged', 'unchanged']);
    assert.deepEqual((await registry.changes(position, 10)).changes, []);
  });

  tests.test('a token whose time is over makes way for an import', async (registry, clock) => {
    const { device } = await registry.createDevice({ name: 'pump' });
    const notAfter = clock.now() + 1;
    await registry.addToken(device.id, { token: 'moving', notAfter });
    clock.advance(1);
    const imported = registry.importDevices({ dryRun: false });
    assert.deepEqual(await add(imported, [row('valve', { token: 'moving' })]), ['created']);
    const match = await registry.findCredential(tokenHash('moving'));
    assert.equal(match?.device.name, 'valve');
  });
}

function refusing(tests: ContractTests): void {
  tests.test('each bad row is refused alone, with the reason', async (registry) => {
    await registry.createDevice({ name: 'there', token: 'taken', gateway: true });
    const imported = registry.importDevices({ dryRun: false });
    const rows = [
      row(''),
      row('good 1'),
      row('a\u0007'),
      row('new', { token: 'taken' }),
      row('there', { token: 'other' }),
      row('there', { profile: 'meter' }),
      row('there', { gateway: false }),
      row('good 1', { gateway: true }),
      row('long', { label: 'x'.repeat(256) }),
      row('control', { token: 'a\tb' }),
      row('profile', { profile: '\u0000' }),
      row('good 2', { token: 'fine' }),
    ];
    assert.deepEqual(await add(imported, rows), [
      'SLUICE_ARGUMENT_INVALID cannot use the device name: it is empty',
      'created',
      'SLUICE_ARGUMENT_INVALID cannot use the device name: it contains control characters',
      'SLUICE_TOKEN_TAKEN cannot import device "new": another device has its access token',
      'SLUICE_DEVICE_EXISTS cannot import device "there": it exists with another access token',
      'SLUICE_DEVICE_EXISTS cannot import device "there": it exists with the profile "default"',
      'SLUICE_DEVICE_EXISTS cannot import device "there": it exists with the gateway flag set',
      'SLUICE_DEVICE_EXISTS cannot import device "good 1": it exists with the gateway flag not set',
      'SLUICE_ARGUMENT_INVALID cannot use the label: it has more than 255 characters',
      'SLUICE_ARGUMENT_INVALID cannot use the access token: it contains control characters',
      'SLUICE_ARGUMENT_INVALID cannot use the profile name: it contains control characters',
      'created',
    ]);
    assert.equal(await registry.countDevices(), 3);
    assert.equal(await registry.findProfileByName('meter'), undefined);
  });
}
