import type { ClickhouseClient } from '../clickhouse/client.js';
import { writeDevices } from '../clickhouse/devices.js';
import { tables } from '../clickhouse/tables.js';
import type { Registry } from '../registry/registry.js';

const pageRows = 5_000;

/**
 * Keeps ClickHouse's table of devices in step with the registry, so that SQL can join names. The
 * position is read from ClickHouse itself: nothing about it is kept here over a restart.
 */
export class DeviceMirror {
  readonly #client: ClickhouseClient;
  readonly #registry: Pick<Registry, 'changedDevices'>;
  /** Version of the latest change that ClickHouse has; undefined before it was asked. */
  #position: number | undefined;

  constructor(client: ClickhouseClient, registry: Pick<Registry, 'changedDevices'>) {
    this.#client = client;
    this.#registry = registry;
    this.#position = undefined;
  }

  /** Writes every change since the last call, a page at a time; a failed page is written again. */
  async run(): Promise<void> {
    this.#position ??= await this.#newest();
    for (;;) {
      const page = await this.#registry.changedDevices(this.#position, pageRows);
      const last = page.at(-1);
      if (last === undefined) return;
      await writeDevices(this.#client, page);
      this.#position = last.version;
    }
  }

  async #newest(): Promise<number> {
    const rows = await this.#client.query<{ version: string }>(
      `SELECT max(version) AS version FROM ${tables.devices}`,
    );
    return Number(rows[0]?.version ?? 0);
  }
}
