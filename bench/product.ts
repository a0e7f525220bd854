import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from './measure/child.js';
import { freePort } from './measure/ports.js';
import { descendantsOf, lowerPriority, pinToCore } from './measure/process-tree.js';
import { metric, metricDelta, type Scrape, scrape } from './measure/scrape.js';
import { removeFolder, temporaryFolder } from './measure/temporary-folder.js';
import { type Server, senderCore, serverCore } from './peers/server.js';
import { deviceName, deviceToken } from './sender/device-names.js';
import type { SenderResult } from './sender/load.js';

export interface ProductOptions {
  /** Devices 0 … devices - 1 are imported before the start. */
  devices: number;
  /**
   * Node with its workers and journal on the servers' core, embedded ClickHouse on the sender's,
   * there with a lower priority than the sender; false: the scheduler decides.
   */
  pinned: boolean;
  /** Options for the Node program, such as `--expose-gc`, and what is added to its environment. */
  nodeOptions?: string[];
  env?: NodeJS.ProcessEnv;
}

const program = fileURLToPath(new URL('../src/main.js', import.meta.url));
const clickhouseNiceness = 10;
const readyMs = 90_000;
const drainMs = 120_000;

/** The complete node under test, as an operator starts it, on a data directory of its own. */
export class Product implements Server {
  readonly name = 'sluice';
  readonly mqttPort: number;
  readonly httpPort: number;
  readonly metricsPort: number;
  readonly watch: Record<string, number[]> = {};
  private readonly clickhousePort: number;
  private readonly folder: string;
  private readonly options: ProductOptions;
  private child: Child | undefined;

  private constructor(folder: string, ports: number[], options: ProductOptions) {
    this.folder = folder;
    this.options = options;
    const [mqtt = 0, http = 0, metrics = 0, clickhouse = 0] = ports;
    this.mqttPort = mqtt;
    this.httpPort = http;
    this.metricsPort = metrics;
    this.clickhousePort = clickhouse;
  }

  /** Imports the devices, starts the node and waits until it is ready. */
  static async start(options: ProductOptions): Promise<Product> {
    const folder = temporaryFolder('node');
    const ports: number[] = [];
    while (ports.length < 4) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    const product = new Product(folder, ports, options);
    try {
      await product.importDevices();
      await product.launch();
    } catch (error) {
      await product.stop();
      throw error;
    }
    return product;
  }

  get pid(): number {
    if (this.child === undefined) throw new Error('the node is not started');
    return this.child.pid;
  }

  scrape(): Promise<Scrape> {
    return scrape(this.metricsPort);
  }

  /** Runs a statement over the embedded ClickHouse's HTTP interface; the answer as text. */
  async sql(statement: string): Promise<string> {
    const file = join(this.folder, 'clickhouse.password');
    const password = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
    const response = await fetch(`http://127.0.0.1:${this.clickhousePort}/?database=sluice`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`default:${password}`).toString('base64')}`,
      },
      body: statement,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${statement}: ${response.status} ${text.slice(0, 500)}`);
    return text.trim();
  }

  async sqlNumber(statement: string): Promise<number> {
    return Number(await this.sql(statement));
  }

  /** Waits until ClickHouse has confirmed every accepted point. */
  async drained(timeoutMs = drainMs): Promise<Scrape> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const now = await this.scrape();
      const accepted = metric(now, 'sluice_points_accepted_total');
      if (metric(now, 'sluice_points_stored_total') >= accepted || Date.now() > deadline) {
        return now;
      }
      await sleep(100);
    }
  }

  /** Waits until nothing is shipped or merged any more, so that it disturbs nobody's round. */
  async quiet(timeoutMs = 20_000): Promise<void> {
    await this.drained();
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      if ((await this.sqlNumber('SELECT count() FROM system.merges')) === 0) return;
      await sleep(200);
    }
  }

  /**
   * Compares what the sender counted with what the node accepted and what ClickHouse confirmed.
   * Returns what is wrong, or an empty text.
   */
  async audit(before: Scrape, result: SenderResult, pointsPerUnit: number): Promise<string> {
    const after = await this.drained();
    const accepted = metricDelta(before, after, 'sluice_points_accepted_total');
    const stored = metricDelta(before, after, 'sluice_points_stored_total');
    const rejected = metricDelta(before, after, 'sluice_rejected_total');
    const least = result.audit.acked * pointsPerUnit;
    // autocannon drops the requests that are under way when it stops; they may have been stored.
    const dropped = result.kind === 'cannon' ? result.connections : 0;
    const most = (result.audit.sent + dropped) * pointsPerUnit;
    if (rejected !== 0) return `${rejected} messages were rejected`;
    if (accepted < least || accepted > most) {
      return `accepted ${accepted} points where ${least} were acknowledged`;
    }
    return stored === accepted ? '' : `stored ${stored} points of ${accepted} accepted`;
  }

  async stop(): Promise<void> {
    await this.child?.stop();
    removeFolder(this.folder);
  }

  private async importDevices(): Promise<void> {
    const file = join(this.folder, 'devices.csv');
    const lines = ['name,token,profile,label,gateway'];
    for (let index = 0; index < this.options.devices; index++) {
      lines.push(`${deviceName(index)},${deviceToken(index)},,,`);
    }
    writeFileSync(file, `${lines.join('\n')}\n`);
    const args = [program, 'device', 'import', file, '--json', '--data-dir', this.folder];
    const child = new Child(process.execPath, args);
    await child.finished(120_000);
    if (child.process.exitCode !== 0) throw new Error(`cannot import devices: ${child.output}`);
  }

  private async launch(): Promise<void> {
    const settings: Record<string, string | number> = {
      'data-dir': this.folder,
      'mqtt.host': '127.0.0.1',
      'mqtt.port': this.mqttPort,
      'http.host': '127.0.0.1',
      'http.port': this.httpPort,
      'metrics.port': this.metricsPort,
      'clickhouse.embedded.port': this.clickhousePort,
      'log.level': 'warn',
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const child = new Child(
      process.execPath,
      [...(this.options.nodeOptions ?? []), program, 'start', ...flags],
      {
        core: this.options.pinned ? serverCore : undefined,
        env: { ...process.env, ...this.options.env },
      },
    );
    this.child = child;
    await this.waitUntilReady(child);
    const clickhouse = descendantsOf(child.pid);
    if (this.options.pinned) {
      for (const pid of clickhouse) {
        pinToCore(pid, senderCore);
        lowerPriority(pid, clickhouseNiceness);
      }
    }
    this.watch['server'] = [child.pid];
    this.watch['clickhouse'] = clickhouse;
  }

  /** Ready to serve, and ClickHouse answers too. */
  private async waitUntilReady(child: Child): Promise<void> {
    const deadline = Date.now() + readyMs;
    for (;;) {
      if (!child.alive) throw new Error(`the node ended at start\n${child.output}`);
      if (Date.now() > deadline) throw new Error(`the node is not ready\n${child.output}`);
      try {
        const ready = await fetch(`http://127.0.0.1:${this.metricsPort}/readyz`);
        if (ready.ok && (await this.sql('SELECT 1')) === '1') return;
      } catch {
        // Not listening yet.
      }
      await sleep(100);
    }
  }
}
