import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickhouseClient, type ClickhouseOptions } from '../clickhouse/client.js';
import { migrate } from '../clickhouse/migrate.js';
import { runRollup } from '../clickhouse/rollup.js';
import type { Clock } from '../core/clock.js';
import { messageOf, NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { packageRoot } from '../core/package-root.js';
import type { Journal } from '../journal/journal.js';
import type { Registry } from '../registry/registry.js';
import { backoff } from './backoff.js';
import { SegmentDelivery } from './delivery.js';
import { DeviceMirror } from './device-mirror.js';
import { Periodic } from './periodic.js';
import { type AttributesStore, Shipper } from './shipper.js';

export interface StorageOptions extends ClickhouseOptions {
  readonly ttlDays: number;
  readonly insertsInFlight: number;
}

const devicesEveryMs = 500;
const rollupEveryMs = 60_000;
const drainLookMs = 20;

/**
 * Everything that needs ClickHouse, and nothing else does: connects, brings the schema up to date,
 * then ships segments, mirrors the registry's devices and keeps the roll-up. All of it goes on by
 * itself while ClickHouse comes and goes.
 */
export class Storage {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: StorageOptions;
  readonly #journal: Journal;
  readonly #mirror: DeviceMirror;
  readonly #client: ClickhouseClient;
  readonly #shipper: Shipper;
  readonly #abort: AbortController;
  #connecting: Promise<void>;
  #periodics: Periodic[];

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: StorageOptions,
    journal: Journal,
    registry: Registry,
    attributes: AttributesStore,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#options = options;
    this.#journal = journal;
    this.#client = new ClickhouseClient(options);
    this.#mirror = new DeviceMirror(this.#client, registry);
    const delivery = new SegmentDelivery(logger, this.#client, journal);
    this.#shipper = new Shipper(clock, logger, metrics, journal, delivery, attributes);
    this.#abort = new AbortController();
    this.#connecting = Promise.resolve();
    this.#periodics = [];
  }

  /**
   * Tries once to connect and to bring the schema up to date. What an operator must mend (a version
   * that is too old, a refused statement) rejects; a server that does not answer is tried again in
   * the background, and the node goes on without it.
   */
  async start(): Promise<void> {
    try {
      await this.#prepare();
      this.#work();
    } catch (thrown) {
      if (!(thrown instanceof NodeError) || thrown.code !== 'SLUICE_CLICKHOUSE_UNREACHABLE') {
        throw thrown;
      }
      this.#logger.warn('clickhouse_away', { error: thrown.message });
      this.#connecting = this.#connect();
    }
  }

  /** Whether ClickHouse took what it was last given. */
  state(): { readonly ok: boolean; readonly detail: string } {
    if (this.#periodics.length === 0) return { ok: false, detail: 'not connected yet' };
    const problem = this.#shipper.problem;
    return problem === undefined
      ? { ok: true, detail: 'stores what the journal hands it' }
      : { ok: false, detail: `the journal keeps everything meanwhile: ${problem}` };
  }

  /** Waits until everything in the journal is stored, at most `graceMs`; then stops. */
  async stop(graceMs: number): Promise<void> {
    const deadline = this.#clock.monotonic() + graceMs;
    await this.#journal.cut();
    while (this.#journal.counters().unshippedBytes > 0 && this.#clock.monotonic() < deadline) {
      await sleep(drainLookMs);
    }
    this.#abort.abort();
    await Promise.all([
      this.#connecting,
      this.#shipper.stop(),
      ...this.#periodics.map((periodic) => periodic.stop()),
    ]);
    await this.#client.close();
  }

  async #connect(): Promise<void> {
    const signal = this.#abort.signal;
    for (let attempt = 0; !signal.aborted; attempt++) {
      await backoff(attempt, signal);
      if (signal.aborted) return;
      try {
        await this.#prepare();
        this.#work();
        return;
      } catch (thrown) {
        this.#logger.limited('clickhouse_away', { error: messageOf(thrown) });
      }
    }
  }

  async #prepare(): Promise<void> {
    const { database, cluster, ttlDays } = this.#options;
    // The database may not exist yet, so these statements name none.
    const client = new ClickhouseClient({ ...this.#options, database: '' });
    try {
      await client.version();
      const folder = join(packageRoot(), 'schema', 'clickhouse');
      await migrate(client, this.#logger, { folder, database, cluster, ttlDays });
    } finally {
      await client.close();
    }
  }

  #work(): void {
    this.#shipper.start(this.#options.insertsInFlight);
    const logger = this.#logger;
    this.#periodics = [
      new Periodic(logger, 'devices_mirror', devicesEveryMs, () => this.#mirror.run()),
      new Periodic(logger, 'rollup', rollupEveryMs, async () => {
        await runRollup(this.#client, this.#clock);
      }),
    ];
  }
}
