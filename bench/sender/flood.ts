import { floodChunk } from './frames.js';
import { Ledger } from './ledger.js';
import type { FloodLoad } from './load.js';
import { MqttLink, openLinks, type Session } from './mqtt-link.js';
import type { Workload } from './workload.js';

/**
 * QoS 0 with a barrier: each chunk of messages ends in a PINGREQ, and only what a PINGRESP covers
 * counts. At most two chunks per connection are unconfirmed, so that the kernel's socket buffers,
 * which can hold hundreds of megabytes, are not what is measured.
 */
const chunksUnconfirmedMax = 2;
const pingresp = 0xd0;

class FloodSession implements Session {
  private readonly flood: Flood;
  private readonly link: MqttLink;
  private readonly sentAt = new Float64Array(chunksUnconfirmedMax);
  private unconfirmed = 0;
  private oldest = 0;

  constructor(flood: Flood, link: MqttLink) {
    this.flood = flood;
    this.link = link;
  }

  onReply(header: number): void {
    const { ledger, chunkMessages } = this.flood;
    if (header !== pingresp || this.unconfirmed === 0) {
      ledger.disorder += 1;
      ledger.remark(`unexpected packet, first byte ${header}`);
      return;
    }
    this.unconfirmed -= 1;
    ledger.acked += chunkMessages;
    ledger.latency.record(performance.now() - this.sentAt[this.oldest]!);
    this.oldest = (this.oldest + 1) % chunksUnconfirmedMax;
  }

  onReadEnd(): void {
    this.fill();
  }

  outstanding(): number {
    return this.unconfirmed * this.flood.chunkMessages;
  }

  fill(): void {
    const { flood } = this;
    while (flood.running && this.unconfirmed < chunksUnconfirmedMax && !this.link.gone) {
      this.sentAt[(this.oldest + this.unconfirmed) % chunksUnconfirmedMax] = performance.now();
      this.unconfirmed += 1;
      flood.ledger.sent += flood.chunkMessages;
      this.link.socket.write(flood.chunk);
    }
  }
}

export class Flood implements Workload {
  readonly ledger = new Ledger();
  readonly chunk: Buffer;
  readonly chunkMessages: number;
  running = false;
  private readonly load: FloodLoad;
  private readonly links: MqttLink[];

  constructor(load: FloodLoad) {
    this.load = load;
    const { chunk, messages } = floodChunk(load.chunkBytes);
    this.chunk = chunk;
    this.chunkMessages = messages;
    this.links = Array.from(
      { length: load.connections },
      (_, index) => new MqttLink(this.ledger, load.firstDevice + index),
    );
  }

  async connect(): Promise<void> {
    await openLinks(this.links, this.load.port);
  }

  start(): void {
    this.running = true;
    for (const link of this.links) {
      const session = new FloodSession(this, link);
      link.session = session;
      session.fill();
    }
  }

  stop(): void {
    this.running = false;
    this.ledger.lastSentAtMs = Date.now();
  }

  settled(): boolean {
    return this.ledger.unanswered === 0;
  }

  close(): void {
    for (const link of this.links) link.socket.close();
  }
}
