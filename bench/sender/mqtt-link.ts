import { connectFrame } from './frames.js';
import type { Ledger } from './ledger.js';
import { RawSocket, type SocketListener } from './raw-socket.js';
import { Replies, type ReplyListener } from './replies.js';

/** What a workload does on one connected device. */
export interface Session {
  onReply(header: number, word: number): void;
  /** After the replies of one read: the moment to send. */
  onReadEnd(): void;
  /** How many of its messages have no answer yet; called when the connection is gone. */
  outstanding(): number;
}

const connack = 0x20;

/** One MQTT connection: CONNECT, CONNACK, then every reply goes to the session. */
export class MqttLink implements SocketListener, ReplyListener {
  readonly socket: RawSocket;
  session: Session | undefined;
  gone = false;
  private readonly replies: Replies;
  private readonly ledger: Ledger;
  private readonly device: number;
  private onUp: ((accepted: boolean) => void) | undefined;

  constructor(ledger: Ledger, device: number) {
    this.ledger = ledger;
    this.device = device;
    this.replies = new Replies(this);
    this.socket = new RawSocket(this);
  }

  /** Resolves true after CONNACK 0, false when the server refuses or hangs up. */
  open(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.onUp = resolve;
      this.socket.connect(port);
    });
  }

  onConnected(): void {
    this.socket.write(connectFrame(this.device));
  }

  onData(length: number): void {
    this.replies.read(length);
    if (this.session !== undefined) this.session.onReadEnd();
  }

  onReply(header: number, word: number): void {
    if (this.session !== undefined) {
      this.session.onReply(header, word);
      return;
    }
    const accepted = header === connack && (word & 0xff) === 0;
    if (!accepted) this.refuse(`device ${this.device}: CONNACK ${header}/${word}`);
    this.settle(accepted);
  }

  onMalformed(header: number): void {
    this.ledger.disorder += 1;
    this.ledger.remark(`a packet that the sender cannot read: first byte ${header}`);
    this.onClosed(0);
    this.socket.close();
  }

  onClosed(code: number): void {
    this.gone = true;
    this.ledger.lost += this.session?.outstanding() ?? 0;
    this.refuse(`device ${this.device}: connection closed by the server (${code})`);
    this.settle(false);
  }

  private refuse(note: string): void {
    this.ledger.refused += 1;
    this.ledger.remark(note);
  }

  private settle(accepted: boolean): void {
    this.onUp?.(accepted);
    this.onUp = undefined;
  }
}

const connectsAtOnce = 200;

/** Opens every link, a bounded number at a time; throws when a connection is refused. */
export async function openLinks(links: readonly MqttLink[], port: number): Promise<void> {
  let next = 0;
  let refused = 0;
  const worker = async (): Promise<void> => {
    while (next < links.length) {
      const link = links[next++]!;
      if (!(await link.open(port))) refused += 1;
    }
  };
  await Promise.all(Array.from({ length: Math.min(connectsAtOnce, links.length) }, worker));
  if (refused > 0) throw new Error(`${refused} of ${links.length} connections were refused`);
}
