import type { DeviceRecord } from '../registry/registry.js';

/** A device as `--json` prints it. */
export function deviceJson(device: DeviceRecord): Record<string, unknown> {
  return {
    id: device.id,
    name: device.name,
    profile: device.profile,
    label: device.label,
    enabled: device.enabled,
    gateway: device.gateway,
    createdAt: timeText(device.createdAt),
  };
}

/** Milliseconds since 1970 as ISO 8601 in UTC. */
export function timeText(time: number): string {
  return new Date(time).toISOString();
}
