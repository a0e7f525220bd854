import assert from 'node:assert/strict';
import { newDeviceId } from '../../../src/core/ids.js';
import type { CredentialId, Registry } from '../../../src/registry/registry.js';
import { tokenHash } from '../../../src/registry/token.js';
import { type ContractTests, refuses } from './contract-test.js';

/** The name of the device that a token lets in, undefined when it lets nobody in. */
async function owner(registry: Registry, token: string): Promise<string | undefined> {
  return (await registry.findCredential(tokenHash(token)))?.device.name;
}

export function credentialContract(tests: ContractTests): void {
  finding(tests);
  rotating(tests);
  ending(tests);
}

function finding(tests: ContractTests): void {
  tests.test('a token finds its device and can be shown again', async (registry, clock) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'tökén 1' });
    const match = await registry.findCredential(tokenHash('tökén 1'));
    assert.ok(match);
    assert.deepEqual(match.device, device);
    assert.equal(match.kind, 'access_token');
    assert.equal(match.createdAt, clock.now());
    assert.equal(match.notAfter, undefined);
    assert.equal((await registry.readToken(device.id))?.token, 'tökén 1');
    assert.equal(await owner(registry, 'tökén 2'), undefined);
    const { id, kind, createdAt, notAfter } = match;
    assert.deepEqual(await registry.listCredentials(device.id), [
      { id, kind, createdAt, notAfter },
    ]);
  });

  tests.test('unknown devices have no credentials to work with', async (registry) => {
    const id = newDeviceId();
    await refuses(registry.readToken(id), 'SLUICE_DEVICE_UNKNOWN', /id/);
    await refuses(registry.listCredentials(id), 'SLUICE_DEVICE_UNKNOWN', /id/);
    await refuses(registry.addToken(id, {}), 'SLUICE_DEVICE_UNKNOWN', /id/);
    await refuses(registry.rotateToken(id, undefined, 0), 'SLUICE_DEVICE_UNKNOWN', /id/);
    const removed = registry.removeCredential(id, 1 as CredentialId);
    await refuses(removed, 'SLUICE_DEVICE_UNKNOWN', /id/);
  });

  tests.test('a device has up to eight tokens at once', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'token 1' });
    for (let number = 2; number <= 8; number += 1) {
      await registry.addToken(device.id, { token: `token ${number}` });
    }
    const more = registry.addToken(device.id, { token: 'token 9' });
    await refuses(more, 'SLUICE_ARGUMENT_INVALID', /it has 8 already/);
    assert.equal(await owner(registry, 'token 1'), 'pump');
    assert.equal(await owner(registry, 'token 8'), 'pump');
    assert.equal((await registry.readToken(device.id))?.token, 'token 8');
  });
}

function rotating(tests: ContractTests): void {
  tests.test('rotation without grace ends the old token at once', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'old' });
    const { token } = await registry.rotateToken(device.id, undefined, 0);
    assert.match(token, /^[A-Za-z0-9]{20}$/);
    assert.equal(await owner(registry, 'old'), undefined);
    assert.equal(await owner(registry, token), 'pump');
    assert.equal((await registry.listCredentials(device.id)).length, 1);
    const back = await registry.rotateToken(device.id, 'old', 0);
    assert.equal(back.token, 'old');
    assert.equal(await owner(registry, 'old'), 'pump');
  });

  tests.test('rotation with grace keeps the old token for that time', async (registry, clock) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'old' });
    await registry.rotateToken(device.id, 'new', 10_000);
    assert.equal((await registry.readToken(device.id))?.token, 'new');
    const match = await registry.findCredential(tokenHash('old'));
    assert.equal(match?.notAfter, clock.now() + 10_000);
    clock.advance(9_999);
    assert.equal(await owner(registry, 'old'), 'pump');
    clock.advance(1);
    assert.equal(await owner(registry, 'old'), undefined);
    assert.equal(await owner(registry, 'new'), 'pump');
    assert.equal((await registry.listCredentials(device.id)).length, 1);
  });

  tests.test('a later rotation never lengthens a grace period', async (registry, clock) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'one' });
    await registry.rotateToken(device.id, 'two', 1_000);
    await registry.rotateToken(device.id, 'three', 60_000);
    clock.advance(1_000);
    assert.equal(await owner(registry, 'one'), undefined);
    assert.equal(await owner(registry, 'two'), 'pump');
  });

  tests.test('the ninth token of overlapping rotations ends the first', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'token 0' });
    for (let number = 1; number <= 8; number += 1) {
      await registry.rotateToken(device.id, `token ${number}`, 60_000);
    }
    assert.equal(await owner(registry, 'token 0'), undefined);
    assert.equal(await owner(registry, 'token 1'), 'pump');
    assert.equal((await registry.listCredentials(device.id)).length, 8);
  });

  tests.test('a rotation to a taken token changes nothing', async (registry) => {
    const { device } = await registry.createDevice({ name: 'pump', token: 'old' });
    await registry.createDevice({ name: 'valve', token: 'taken' });
    const rotated = registry.rotateToken(device.id, 'taken', 0);
    await refuses(rotated, 'SLUICE_TOKEN_TAKEN', /"pump"/);
    assert.equal(await owner(registry, 'old'), 'pump');
    assert.equal(await owner(registry, 'taken'), 'valve');
  });
}

function ending(tests: ContractTests): void {
  tests.test('a credential is removed from its own device only', async (registry) => {
    const pump = await registry.createDevice({ name: 'pump', token: 'a' });
    const valve = await registry.createDevice({ name: 'valve', token: 'b' });
    const [credential] = await registry.listCredentials(pump.device.id);
    assert.ok(credential);
    assert.equal(await registry.removeCredential(valve.device.id, credential.id), false);
    assert.equal(await owner(registry, 'a'), 'pump');
    assert.equal(await registry.removeCredential(pump.device.id, credential.id), true);
    assert.equal(await owner(registry, 'a'), undefined);
    assert.equal(await registry.readToken(pump.device.id), undefined);
  });

  tests.test('a token that has ended may be given to another device', async (registry, clock) => {
    const pump = await registry.createDevice({ name: 'pump' });
    const notAfter = clock.now() + 1_000;
    await registry.addToken(pump.device.id, { token: 'moving', notAfter });
    const early = registry.createDevice({ name: 'valve', token: 'moving' });
    await refuses(early, 'SLUICE_TOKEN_TAKEN', /"valve"/);
    clock.advance(1_000);
    await registry.createDevice({ name: 'valve', token: 'moving' });
    assert.equal(await owner(registry, 'moving'), 'valve');
    const last = (await registry.changes(0, 100)).changes.slice(-3);
    assert.deepEqual(
      last.map(({ entity, kind, id }) => [entity, kind, id === pump.device.id]),
      [
        ['credential', 'added', true],
        ['device', 'created', false],
        ['credential', 'removed', true],
      ],
    );
  });
}
