import { FrameRing } from './frame-ring.js';
import { flatPayload, publishFrame, releaseFrame } from './frames.js';
import { Ledger } from './ledger.js';
import type { WindowLoad } from './load.js';
import { MqttLink, openLinks } from './mqtt-link.js';
import { type WindowRules, WindowSession } from './window-session.js';
import type { Workload } from './workload.js';

/** QoS 1 or 2 in a closed loop: each answer makes room for the next message. */
export class Window implements Workload, WindowRules {
  readonly ledger = new Ledger();
  readonly qos: 1 | 2;
  readonly releases: FrameRing;
  private running = false;
  private readonly load: WindowLoad;
  private readonly sessions: WindowSession[];

  constructor(load: WindowLoad) {
    this.load = load;
    this.qos = load.qos;
    const ids = Array.from({ length: load.window }, (_, index) => index + 1);
    const ring = new FrameRing(ids.map((id) => publishFrame(load.qos, id, flatPayload(id))));
    this.releases = new FrameRing(ids.map(releaseFrame));
    this.sessions = Array.from({ length: load.connections }, (_, index) => {
      const link = new MqttLink(this.ledger, load.firstDevice + index);
      return new WindowSession(this, link, ring);
    });
  }

  async connect(): Promise<void> {
    await openLinks(
      this.sessions.map((session) => session.link),
      this.load.port,
    );
  }

  start(): void {
    this.running = true;
    for (const session of this.sessions) {
      session.link.session = session;
      this.refill(session);
    }
  }

  refill(session: WindowSession): void {
    if (!this.running) return;
    const { room } = session;
    if (room > 0) session.send(room, performance.now());
  }

  stop(): void {
    this.running = false;
    this.ledger.lastSentAtMs = Date.now();
  }

  settled(): boolean {
    return this.ledger.unanswered === 0;
  }

  close(): void {
    for (const session of this.sessions) session.link.socket.close();
  }
}
