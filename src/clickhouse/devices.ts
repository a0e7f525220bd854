import type { DeviceId } from '../core/ids.js';
import type { ClickhouseClient } from './client.js';
import { tables } from './tables.js';

/** A device as SQL sees it. */
export interface DeviceRow {
  readonly id: DeviceId;
  readonly name: string;
  readonly profile: string;
  readonly label: string;
  readonly enabled: boolean;
  readonly gateway: boolean;
  /** Grows with every change of the device; the row with the greatest one counts. */
  readonly version: number;
  /** True hides the device; its points stay and show its id. */
  readonly deleted: boolean;
}

const rowsPerInsert = 10_000;

/** Brings the table of devices up to date. May be repeated, and called with old rows, at will. */
export async function writeDevices(
  client: ClickhouseClient,
  rows: readonly DeviceRow[],
): Promise<void> {
  for (let at = 0; at < rows.length; at += rowsPerInsert) {
    const slice = rows.slice(at, at + rowsPerInsert);
    await client.insertRows(
      tables.devices,
      slice.map((row) => ({ ...row, deleted: row.deleted ? 1 : 0 })),
    );
  }
}
