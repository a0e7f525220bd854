import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClickhouseClient } from '../../../src/clickhouse/client.js';
import { type DeviceId, newDeviceId } from '../../../src/core/ids.js';
import { DeviceMirror } from '../../../src/ingest/device-mirror.js';
import type { ChangedDevice } from '../../../src/registry/changed-device.js';

function changed(name: string, version: number): ChangedDevice {
  const id: DeviceId = newDeviceId();
  return {
    id,
    name,
    profile: '',
    label: '',
    enabled: true,
    gateway: false,
    version,
    deleted: false,
  };
}

test('a page that ClickHouse did not take is written again, and then no more', async () => {
  const devices = [changed('a', 11), changed('b', 12)];
  const asked: number[] = [];
  const written: string[] = [];
  let failures = 1;
  const client = {
    query: async () => [{ version: '10' }],
    insertRows: async (_table: string, rows: { name: string }[]) => {
      if (failures > 0) {
        failures -= 1;
        throw new Error('ClickHouse is away');
      }
      written.push(...rows.map(({ name }) => name));
    },
  };
  const registry = {
    changedDevices: async (since: number) => {
      asked.push(since);
      return devices.filter(({ version }) => version > since);
    },
  };
  const mirror = new DeviceMirror(client as unknown as ClickhouseClient, registry);
  await assert.rejects(mirror.run(), /away/);
  await mirror.run();
  await mirror.run();
  assert.deepEqual(written, ['a', 'b']);
  assert.deepEqual(asked, [10, 10, 12, 12]);
});
