import { NodeError } from '../core/errors.js';
import { parseDeviceId } from '../core/ids.js';
import type { DeviceRecord, Registry } from '../registry/registry.js';

/** The device that a person means by a name or an id; rejects with SLUICE_DEVICE_UNKNOWN. */
export async function findDevice(registry: Registry, nameOrId: string): Promise<DeviceRecord> {
  const named = await registry.findDeviceByName(nameOrId.trim());
  if (named !== undefined) return named;
  const id = parseDeviceId(nameOrId);
  const device = id === undefined ? undefined : await registry.findDevice(id);
  if (device !== undefined) return device;
  throw new NodeError(
    'SLUICE_DEVICE_UNKNOWN',
    `cannot find device "${nameOrId}"`,
    'See the names with `sluice device list`.',
  );
}
