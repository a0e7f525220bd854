import type { FrameRing } from './frame-ring.js';
import type { Ledger } from './ledger.js';
import type { MqttLink, Session } from './mqtt-link.js';

/** What the sessions of one workload share. */
export interface WindowRules {
  readonly ledger: Ledger;
  readonly qos: 1 | 2;
  /** The PUBREL packets of QoS 2. */
  readonly releases: FrameRing;
  /** Called after the answers of a read were taken: send what the workload wants to send. */
  refill(session: WindowSession): void;
}

const puback = 0x40;
const pubrec = 0x50;
const pubcomp = 0x70;

/**
 * One connection with up to `ring.size` messages without an answer.
 *
 *     slot   released ── outstanding ──► next          (modulo ring.size)
 *            answers are expected in this order: [MQTT-4.6.0-2]
 *
 * QoS 2 has two such queues: PUBREC moves a message from the first to the second, PUBCOMP ends it.
 */
export class WindowSession implements Session {
  readonly link: MqttLink;
  readonly ring: FrameRing;
  private readonly rules: WindowRules;
  private readonly sentAt: Float64Array;
  private next = 0;
  /** The slot whose PUBACK or PUBREC comes next, and how many are expected. */
  private awaited = 0;
  private awaitedCount = 0;
  /** QoS 2: the slot whose PUBCOMP comes next, and how many are expected. */
  private completing = 0;
  private completingCount = 0;
  private readonly releases: FrameRing;
  private releaseFrom = 0;
  private releaseCount = 0;
  /** The time of the read whose answers are being taken, 0 between reads: one look at the clock. */
  private readAt = 0;

  constructor(rules: WindowRules, link: MqttLink, ring: FrameRing) {
    this.rules = rules;
    this.link = link;
    this.ring = ring;
    this.releases = rules.releases;
    this.sentAt = new Float64Array(ring.size);
  }

  /** How many messages may be sent now. */
  get room(): number {
    return this.ring.size - this.awaitedCount - this.completingCount;
  }

  /** The slot that the next message will use; its frame may be changed until it is sent. */
  get nextSlot(): number {
    return this.next;
  }

  outstanding(): number {
    return this.awaitedCount + this.completingCount;
  }

  /** Sends `count` ≤ `room` messages, counted from the time `sentAt`. */
  send(count: number, sentAt: number): void {
    const { size } = this.ring;
    let left = count;
    while (left > 0) {
      const run = Math.min(left, size - this.next);
      for (let slot = this.next; slot < this.next + run; slot++) this.sentAt[slot] = sentAt;
      const view = this.ring.run(this.next, run);
      this.next = (this.next + run) % size;
      this.awaitedCount += run;
      this.rules.ledger.sent += run;
      this.link.socket.write(view);
      left -= run;
    }
  }

  onReply(header: number, word: number): void {
    if (header === puback && this.rules.qos === 1) this.onPuback(word - 1);
    else if (header === pubrec && this.rules.qos === 2) this.onPubrec(word - 1);
    else if (header === pubcomp && this.rules.qos === 2) this.onPubcomp(word - 1);
    else this.disorder(`unexpected packet, first byte ${header}`);
  }

  onReadEnd(): void {
    this.readAt = 0;
    if (this.releaseCount > 0) this.release();
    this.rules.refill(this);
  }

  private onPuback(slot: number): void {
    if (this.awaitedCount === 0 || slot !== this.awaited) {
      this.disorder(`PUBACK ${slot + 1} where ${this.awaited + 1} was due`);
      return;
    }
    this.awaited = slot + 1 === this.ring.size ? 0 : slot + 1;
    this.awaitedCount -= 1;
    this.finish(slot);
  }

  private onPubrec(slot: number): void {
    if (this.awaitedCount === 0 || slot !== this.awaited) {
      this.disorder(`PUBREC ${slot + 1} where ${this.awaited + 1} was due`);
      return;
    }
    this.awaited = slot + 1 === this.ring.size ? 0 : slot + 1;
    this.awaitedCount -= 1;
    this.completingCount += 1;
    if (this.releaseCount === 0) this.releaseFrom = slot;
    this.releaseCount += 1;
  }

  private onPubcomp(slot: number): void {
    if (this.completingCount === 0 || slot !== this.completing) {
      this.disorder(`PUBCOMP ${slot + 1} where ${this.completing + 1} was due`);
      return;
    }
    this.completing = slot + 1 === this.ring.size ? 0 : slot + 1;
    this.completingCount -= 1;
    this.finish(slot);
  }

  private finish(slot: number): void {
    if (this.readAt === 0) this.readAt = performance.now();
    this.rules.ledger.acked += 1;
    this.rules.ledger.latency.record(this.readAt - this.sentAt[slot]!);
  }

  private release(): void {
    while (this.releaseCount > 0) {
      const run = Math.min(this.releaseCount, this.releases.size - this.releaseFrom);
      this.link.socket.write(this.releases.run(this.releaseFrom, run));
      this.releaseFrom = (this.releaseFrom + run) % this.releases.size;
      this.releaseCount -= run;
    }
  }

  private disorder(note: string): void {
    this.rules.ledger.disorder += 1;
    this.rules.ledger.remark(note);
  }
}
