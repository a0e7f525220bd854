import { connectFrame, disconnectFrame } from './frames.js';
import { Ledger } from './ledger.js';
import type { StormLoad } from './load.js';
import { RawSocket, type SocketListener } from './raw-socket.js';
import { Replies, type ReplyListener } from './replies.js';
import type { Workload } from './workload.js';

/**
 * Connect storm: `connections` at a time connect, wait for CONNACK and say DISCONNECT; when the
 * server has closed the connection, the next one follows.
 *
 * The server closes first, as MQTT has it, so that the minute of TIME_WAIT is on its side: were it
 * on ours, the ports of loopback would be used up after a few seconds and later runs would measure
 * the kernel's search for a free one.
 */
class Visit implements SocketListener, ReplyListener {
  private readonly storm: Storm;
  private readonly socket: RawSocket;
  private readonly replies: Replies;
  private readonly device: number;
  private readonly startedAt = performance.now();

  private welcome = false;

  constructor(storm: Storm, device: number, port: number) {
    this.storm = storm;
    this.device = device;
    this.replies = new Replies(this);
    this.socket = new RawSocket(this);
    this.socket.connect(port);
  }

  onConnected(): void {
    this.socket.write(connectFrame(this.device));
  }

  onData(length: number): void {
    this.replies.read(length);
  }

  onReply(header: number, word: number): void {
    const { ledger } = this.storm;
    if (header === 0x20 && (word & 0xff) === 0) {
      this.welcome = true;
      ledger.acked += 1;
      ledger.latency.record(performance.now() - this.startedAt);
      this.socket.write(disconnectFrame);
    } else {
      this.refuse(`CONNACK ${header}/${word}`);
      this.socket.close();
      this.storm.next();
    }
  }

  onMalformed(header: number): void {
    this.onReply(header, -1);
  }

  onClosed(code: number): void {
    if (!this.welcome) this.refuse(`connection closed before CONNACK (${code})`);
    this.storm.next();
  }

  private refuse(note: string): void {
    this.storm.ledger.lost += 1;
    this.storm.ledger.refused += 1;
    this.storm.ledger.remark(note);
  }
}

export class Storm implements Workload {
  readonly ledger = new Ledger();
  private readonly load: StormLoad;
  private running = false;
  private turn = 0;

  constructor(load: StormLoad) {
    this.load = load;
  }

  async connect(): Promise<void> {}

  start(): void {
    this.running = true;
    for (let index = 0; index < this.load.connections; index++) this.next();
  }

  next(): void {
    if (!this.running) return;
    const { connections, firstDevice, port } = this.load;
    const turn = this.turn++;
    this.ledger.sent += 1;
    // Twice the connections in devices: a visit never meets the one before it of its own device.
    const device = firstDevice + (turn % (2 * connections));
    new Visit(this, device, port);
  }

  stop(): void {
    this.running = false;
    this.ledger.lastSentAtMs = Date.now();
  }

  settled(): boolean {
    return this.ledger.unanswered === 0;
  }

  close(): void {}
}
