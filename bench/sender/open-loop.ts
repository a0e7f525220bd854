import { FrameRing } from './frame-ring.js';
import { flatPayload, publishFrame } from './frames.js';
import { Ledger } from './ledger.js';
import type { OpenLoad } from './load.js';
import { MqttLink, openLinks } from './mqtt-link.js';
import { type WindowRules, WindowSession } from './window-session.js';
import type { Workload } from './workload.js';

/**
 * QoS 1 at a fixed rate: message i is due at start + i / rate on connection i mod n, and its
 * latency counts from that moment, also when the sender or the server is late. So a stall is seen
 * by every message it delays.
 *
 * Between two due times the sender sleeps at most `napMs` with its event loop blocked, because
 * timers of the event loop are no finer than a millisecond: an answer is seen at most that late.
 */
const napMs = 0.1;
const windowMax = 256;

export class OpenLoop implements Workload, WindowRules {
  readonly ledger = new Ledger();
  readonly qos = 1;
  readonly releases = new FrameRing([]);
  private readonly load: OpenLoad;
  private readonly sessions: WindowSession[];
  private readonly bed = new Int32Array(new SharedArrayBuffer(4));
  private startedAt = 0;
  private count = 0;
  private running = false;

  constructor(load: OpenLoad) {
    this.load = load;
    const ids = Array.from({ length: windowMax }, (_, index) => index + 1);
    const ring = new FrameRing(ids.map((id) => publishFrame(1, id, flatPayload(id))));
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
    for (const session of this.sessions) session.link.session = session;
    this.startedAt = performance.now();
    this.tick();
  }

  refill(): void {}

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

  private tick(): void {
    if (!this.running) return;
    const intervalMs = 1000 / this.load.perSecond;
    let due = this.startedAt + this.count * intervalMs;
    const now = performance.now();
    while (due <= now) {
      this.sendOne(due);
      this.count += 1;
      due = this.startedAt + this.count * intervalMs;
    }
    const pause = Math.min(napMs, due - performance.now());
    if (pause > 0.01) Atomics.wait(this.bed, 0, 0, pause);
    setImmediate(() => this.tick());
  }

  private sendOne(due: number): void {
    const session = this.sessions[this.count % this.sessions.length]!;
    if (session.room > 0) {
      session.send(1, due);
      return;
    }
    // The server is seconds behind: the message counts as sent and lost, so the audit fails.
    this.ledger.sent += 1;
    this.ledger.lost += 1;
    this.ledger.remark(`a connection had ${windowMax} messages without an answer`);
  }
}
