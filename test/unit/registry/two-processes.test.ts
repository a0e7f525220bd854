import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { createMetrics } from '../../../src/core/metrics.js';
import { CredentialCache } from '../../../src/registry/credential-cache.js';
import type { Device } from '../../../src/registry/device.js';
import {
  openTestRegistry,
  RegistryProcess,
  soon,
  temporaryFolder,
} from '../../support/registry.js';

const options = { entriesMax: 100, negativeEntriesMax: 20, negativeMs: 5_000, tokenBytesMax: 255 };

interface Told {
  readonly device: Device | undefined;
  readonly ended: boolean;
  /** From the order to the other process until it was told. */
  readonly afterMs: number;
}

/** A node's cache that knows the device `pump`, and what it hears of a command elsewhere. */
async function hear(t: TestContext, action: string): Promise<{ cache: CredentialCache } & Told> {
  const clock = systemClock();
  const folder = temporaryFolder(t);
  const registry = await openTestRegistry(t, clock, folder);
  await registry.createDevice({ name: 'pump', token: 'secret' });
  const metrics = createMetrics();
  const cache = new CredentialCache(clock, silentLogger, metrics, options, registry);
  await cache.start();
  t.after(() => cache.close());
  await cache.resolveToken('secret');
  const other = new RegistryProcess(t, folder, action, 'pump');
  await other.says('open');
  const started = clock.monotonic();
  const told = new Promise<Told>((resolve) => {
    cache.onChange((_, device, ended) => {
      resolve({ device, ended, afterMs: clock.monotonic() - started });
    });
  });
  other.go();
  return { cache, ...(await soon(told)) };
}

test('a device that the command line disables is told within a second', async (t) => {
  const { cache, device, ended, afterMs } = await hear(t, 'disable');
  assert.equal(device?.enabled, false);
  assert.equal(ended, false);
  assert.equal((await cache.resolveToken('secret'))?.enabled, false);
  assert.ok(afterMs < 1_000, `${afterMs} ms`);
});

test('a token that the command line rotates ends within a second', async (t) => {
  const { cache, device, ended, afterMs } = await hear(t, 'rotate');
  assert.equal(device?.name, 'pump');
  assert.equal(ended, true);
  assert.equal(await cache.resolveToken('secret'), null);
  assert.ok(afterMs < 1_000, `${afterMs} ms`);
});

test('a device that the command line deletes is gone within a second', async (t) => {
  const { cache, device, ended, afterMs } = await hear(t, 'delete');
  assert.equal(device, undefined);
  assert.equal(ended, true);
  assert.equal(await cache.resolveToken('secret'), null);
  assert.ok(afterMs < 1_000, `${afterMs} ms`);
});
