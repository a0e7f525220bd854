import { DeviceModel, payloadStart, pointsFrame } from './device-model.js';
import { FrameRing } from './frame-ring.js';
import { Ledger } from './ledger.js';
import type { SustainedLoad } from './load.js';
import { MqttLink, openLinks } from './mqtt-link.js';
import { type WindowRules, WindowSession } from './window-session.js';
import type { Workload } from './workload.js';

/**
 * Ten-key messages at QoS 1 in bursts, as gateways and devices with a backlog send them. With a
 * rate it is paced by a clock and falls behind (it never catches up more than a quarter of a
 * second) when windows are full; without, each answer makes room for the next message.
 */
const tickMs = 2;
const catchUpSeconds = 0.25;
/** The simulated clocks start this long ago, so that no timestamp lies in the future. */
const historyMs = 72 * 3600 * 1000;

interface Sender {
  session: WindowSession;
  model: DeviceModel;
}

export class Sustained implements Workload, WindowRules {
  readonly ledger = new Ledger();
  readonly qos = 1;
  readonly releases = new FrameRing([]);
  private readonly load: SustainedLoad;
  private readonly senders: Sender[] = [];
  private readonly models = new Map<WindowSession, DeviceModel>();
  private running = false;
  private timer: NodeJS.Timeout | undefined;
  private turn = 0;
  private lastTick = 0;
  private allowance = 0;

  constructor(load: SustainedLoad) {
    this.load = load;
    const from = Date.now() - historyMs;
    for (let index = 0; index < load.connections; index++) {
      const device = load.firstDevice + index;
      const frames = Array.from({ length: load.window }, (_, slot) => pointsFrame(slot + 1));
      const link = new MqttLink(this.ledger, device);
      const session = new WindowSession(this, link, new FrameRing(frames));
      const model = new DeviceModel(from, device + 1);
      this.senders.push({ session, model });
      this.models.set(session, model);
    }
  }

  async connect(): Promise<void> {
    await openLinks(
      this.senders.map((sender) => sender.session.link),
      this.load.port,
    );
  }

  start(): void {
    this.running = true;
    for (const { session } of this.senders) session.link.session = session;
    if (this.load.perSecond > 0) {
      this.lastTick = performance.now();
      this.timer = setInterval(() => this.tick(), tickMs);
    } else {
      for (const { session } of this.senders) this.refill(session);
    }
  }

  refill(session: WindowSession): void {
    if (!this.running || this.load.perSecond > 0) return;
    const model = this.models.get(session);
    const { room } = session;
    if (model !== undefined && room >= this.load.burst) this.send(session, model, room);
  }

  stop(): void {
    this.running = false;
    clearInterval(this.timer);
    this.ledger.lastSentAtMs = Date.now();
  }

  settled(): boolean {
    return this.ledger.unanswered === 0;
  }

  close(): void {
    for (const { session } of this.senders) session.link.socket.close();
  }

  private tick(): void {
    const now = performance.now();
    const { perSecond, burst } = this.load;
    this.allowance += (perSecond * (now - this.lastTick)) / 1000;
    this.lastTick = now;
    this.allowance = Math.min(this.allowance, perSecond * catchUpSeconds);
    let skipped = 0;
    while (this.allowance >= burst && skipped < this.senders.length) {
      const { session, model } = this.senders[this.turn]!;
      this.turn = (this.turn + 1) % this.senders.length;
      if (session.room < burst) {
        skipped += 1;
        continue;
      }
      skipped = 0;
      this.allowance -= burst;
      this.send(session, model, burst);
    }
  }

  private send(session: WindowSession, model: DeviceModel, count: number): void {
    const { ring } = session;
    let slot = session.nextSlot;
    for (let index = 0; index < count; index++) {
      model.write(ring.bytes, ring.starts[slot]! + payloadStart);
      slot = slot + 1 === ring.size ? 0 : slot + 1;
    }
    session.send(count, performance.now());
  }
}
