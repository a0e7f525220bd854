import type { DeviceId } from '../core/ids.js';

/** A device as the ClickHouse table `devices` has it: the row of the greatest version counts. */
export interface ChangedDevice {
  readonly id: DeviceId;
  readonly name: string;
  /** Name of its profile; empty when deleted. */
  readonly profile: string;
  readonly label: string;
  readonly enabled: boolean;
  readonly gateway: boolean;
  /**
   * The sequence number of the change; the next page starts after it. Begins near the time in
   * microseconds since 1970, so a registry that was made anew or restored from a backup still
   * counts above everything that ClickHouse has seen before.
   */
  readonly version: number;
  readonly deleted: boolean;
}
