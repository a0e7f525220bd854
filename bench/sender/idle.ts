import { FrameRing } from './frame-ring.js';
import { flatPayload, publishFrame } from './frames.js';
import { Ledger } from './ledger.js';
import type { IdleLoad } from './load.js';
import { MqttLink, openLinks } from './mqtt-link.js';
import { type WindowRules, WindowSession } from './window-session.js';
import type { Workload } from './workload.js';

/** Many connections that publish once, at QoS 1, and then keep still: what does one cost? */
export class Idle implements Workload, WindowRules {
  readonly ledger = new Ledger();
  readonly qos = 1;
  readonly releases = new FrameRing([]);
  private readonly load: IdleLoad;
  private readonly sessions: WindowSession[];

  constructor(load: IdleLoad) {
    this.load = load;
    const ring = new FrameRing([publishFrame(1, 1, flatPayload(1))]);
    this.sessions = Array.from({ length: load.connections }, (_, index) => {
      const link = new MqttLink(this.ledger, load.firstDevice + index);
      return new WindowSession(this, link, ring);
    });
  }

  /** Connected means here: connected, and the one message acknowledged. */
  async connect(): Promise<void> {
    await openLinks(
      this.sessions.map((session) => session.link),
      this.load.port,
    );
    for (const session of this.sessions) {
      session.link.session = session;
      session.send(1, performance.now());
    }
    const deadline = performance.now() + 30_000;
    while (!this.settled() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  start(): void {}

  refill(): void {}

  stop(): void {
    this.ledger.lastSentAtMs = Date.now();
  }

  settled(): boolean {
    return this.ledger.unanswered === 0;
  }

  close(): void {
    for (const session of this.sessions) session.link.socket.close();
  }
}
