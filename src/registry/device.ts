import { type DeviceId, deviceWords } from '../core/ids.js';

/** A device as the protocols see it. Immutable: a change in the registry makes a new object. */
export interface Device {
  readonly id: DeviceId;
  readonly name: string;
  /** Name of the device profile. */
  readonly profile: string;
  readonly label: string;
  readonly enabled: boolean;
  readonly gateway: boolean;
  /** The id as the batch carries it, see `deviceWords`. */
  readonly words: Uint32Array;
  /** Bits of `NormaliseFlag` from the profile. */
  readonly normaliseFlags: number;
}

/** The columns of a device that are stored. */
export type DeviceFields = Omit<Device, 'words'>;

/** Makes the frozen object with every field in one order, so that all devices share one shape. */
export function createDevice(fields: DeviceFields): Device {
  return Object.freeze({
    id: fields.id,
    name: fields.name,
    profile: fields.profile,
    label: fields.label,
    enabled: fields.enabled,
    gateway: fields.gateway,
    words: deviceWords(fields.id),
    normaliseFlags: fields.normaliseFlags,
  });
}
