import { NodeError } from '../core/errors.js';
import type { DeviceRecord, Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';
import { findDevice } from './device-find.js';
import { deviceJson } from './device-json.js';

type Io = Pick<CommandContext, 'out' | 'json'>;

/**
 * `sluice device enable NAME…` and `disable`: what a node does with it takes effect in a second.
 */
export function enableDevices(
  registry: Registry,
  io: Io,
  names: readonly string[],
  enabled: boolean,
): Promise<number> {
  return forEachDevice(registry, io, names, async (device) => {
    const changed = await registry.updateDevice(device.id, { enabled });
    if (io.json) io.out.json(deviceJson(changed));
    else io.out.line(`${enabled ? 'Enabled' : 'Disabled'} device ${device.name}.`);
  });
}

/** `sluice device delete NAME…`: also its credentials and attributes, not its telemetry. */
export function deleteDevices(
  registry: Registry,
  io: Io,
  names: readonly string[],
): Promise<number> {
  return forEachDevice(registry, io, names, async (device) => {
    await registry.deleteDevice(device.id);
    if (io.json) io.out.json({ id: device.id, name: device.name, deleted: true });
    else io.out.line(`Deleted device ${device.name}.`);
  });
}

/** Exit code 0 when all went well, 2 when some did, 1 when none did. */
async function forEachDevice(
  registry: Registry,
  io: Io,
  names: readonly string[],
  change: (device: DeviceRecord) => Promise<void>,
): Promise<number> {
  let failures = 0;
  for (const name of names) {
    try {
      await change(await findDevice(registry, name));
    } catch (error) {
      if (!(error instanceof NodeError) || error.code !== 'SLUICE_DEVICE_UNKNOWN') throw error;
      io.out.error(error, { name });
      failures += 1;
    }
  }
  if (failures === 0) return 0;
  return failures === names.length ? 1 : 2;
}
