import autocannon from 'autocannon';
import { deviceToken } from './device-names.js';
import { flatPayload } from './frames.js';
import { Ledger } from './ledger.js';
import type { CannonLoad } from './load.js';
import type { Workload } from './workload.js';

/**
 * HTTP POST by autocannon: keep-alive connections, one request at a time each, every connection a
 * device of its own. When it stops it drops the requests under way, so up to one per connection may
 * be stored without having been counted.
 */
const longSeconds = 3600;

export class Cannon implements Workload {
  readonly ledger = new Ledger();
  private readonly load: CannonLoad;
  private instance: autocannon.Instance | undefined;
  private nextDevice: number;

  constructor(load: CannonLoad) {
    this.load = load;
    this.nextDevice = load.firstDevice;
  }

  async connect(): Promise<void> {}

  start(): void {
    const { ledger } = this;
    const options: autocannon.Options = {
      url: `http://127.0.0.1:${this.load.port}`,
      connections: this.load.connections,
      duration: longSeconds,
      setupClient: (client) => this.setUp(client),
    };
    const instance = autocannon(options, () => {});
    instance.on('response', (_client, status, _bytes, milliseconds) => {
      ledger.sent += 1;
      ledger.acked += 1;
      ledger.latency.record(milliseconds);
      if (status !== 200) this.refuse(`status ${status}`);
    });
    instance.on('reqError', (error: Error) => this.refuse(error.message));
    this.instance = instance;
  }

  stop(): void {
    this.ledger.lastSentAtMs = Date.now();
    (this.instance as unknown as { stop(): void } | undefined)?.stop();
  }

  settled(): boolean {
    return true;
  }

  close(): void {}

  private setUp(client: autocannon.Client): void {
    const device = this.nextDevice++;
    client.setRequests([
      {
        method: 'POST',
        path: `/api/v1/${deviceToken(device)}/telemetry`,
        headers: { 'content-type': 'application/json' },
        body: flatPayload(device),
      },
    ]);
  }

  private refuse(note: string): void {
    this.ledger.refused += 1;
    this.ledger.remark(note);
  }
}
