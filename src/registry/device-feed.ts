import type { DeviceId } from '../core/ids.js';
import type { Registry } from './registry.js';

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

/**
 * Hands every device that changed after `sinceSeq` to `deliver`, a page at a time, until there are
 * no more. The position moves on only when `deliver` has resolved, so a failure repeats the page
 * and loses nothing. Returns the position reached.
 */
export async function readDeviceFeed(
  registry: Pick<Registry, 'changedDevices'>,
  sinceSeq: number,
  pageRows: number,
  deliver: (page: readonly ChangedDevice[]) => Promise<void>,
): Promise<number> {
  let position = sinceSeq;
  for (;;) {
    const page = await registry.changedDevices(position, pageRows);
    const last = page.at(-1);
    if (last === undefined) return position;
    await deliver(page);
    position = last.version;
  }
}
