import { deviceToken } from './device-names.js';
import { flatPayload } from './frames.js';
import { Ledger } from './ledger.js';
import type { HttpLoad } from './load.js';
import { RawSocket, readBuffer, type SocketListener } from './raw-socket.js';
import type { Workload } from './workload.js';

/**
 * HTTP POST in a closed loop, one request at a time per keep-alive connection. It is the second
 * opinion to `autocannon`, which spends more per request than the fastest servers here.
 */
const headMax = 16 * 1024;

class Client implements SocketListener {
  gone = false;
  waiting = false;
  private readonly http: Http;
  private readonly socket: RawSocket;
  private readonly request: Buffer;
  private sentAt = 0;
  /** Bytes of an answer that is not complete; empty on the common path of one read per answer. */
  private partial = '';
  private up: (() => void) | undefined;

  constructor(http: Http, device: number) {
    this.http = http;
    const body = flatPayload(device);
    this.request = Buffer.from(
      `POST /api/v1/${deviceToken(device)}/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    this.socket = new RawSocket(this);
  }

  open(port: number): Promise<void> {
    return new Promise((resolve) => {
      this.up = resolve;
      this.socket.connect(port);
    });
  }

  onConnected(): void {
    this.up?.();
  }

  send(): void {
    this.waiting = true;
    this.sentAt = performance.now();
    this.http.ledger.sent += 1;
    this.socket.write(this.request);
  }

  onData(length: number): void {
    if (this.partial === '' && this.http.isUsualAnswer(length)) {
      this.answered(true);
      return;
    }
    this.partial += readBuffer.toString('latin1', 0, length);
    const size = answerLength(this.partial);
    if (size < 0 && this.partial.length < headMax) return;
    if (size > this.partial.length) return;
    const ok = size === this.partial.length && this.partial.startsWith('HTTP/1.1 200');
    if (ok) this.http.learn(size);
    else this.http.ledger.remark(this.partial.slice(0, 120));
    this.partial = '';
    this.answered(ok);
  }

  onClosed(code: number): void {
    this.gone = true;
    this.http.ledger.refused += 1;
    this.http.ledger.remark(`connection closed by the server (${code})`);
    if (this.waiting) this.http.ledger.lost += 1;
    this.up?.();
  }

  close(): void {
    this.socket.close();
  }

  private answered(ok: boolean): void {
    const { ledger } = this.http;
    if (!this.waiting) ledger.disorder += 1;
    this.waiting = false;
    ledger.acked += 1;
    if (!ok) ledger.refused += 1;
    ledger.latency.record(performance.now() - this.sentAt);
    if (this.http.running) this.send();
  }
}

/** Length of the answer that begins the text, -1 while its head is not complete. */
function answerLength(text: string): number {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const declared = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head));
  return head + 4 + Number(declared?.[1] ?? 0);
}

export class Http implements Workload {
  readonly ledger = new Ledger();
  running = false;
  private readonly load: HttpLoad;
  private readonly clients: Client[];
  private usualLength = -1;

  constructor(load: HttpLoad) {
    this.load = load;
    this.clients = Array.from(
      { length: load.connections },
      (_, index) => new Client(this, load.firstDevice + index),
    );
  }

  /** True when the read holds exactly one answer as long as the ones before, and it is 200. */
  isUsualAnswer(length: number): boolean {
    return (
      length === this.usualLength &&
      readBuffer[9] === 0x32 &&
      readBuffer[10] === 0x30 &&
      readBuffer[11] === 0x30
    );
  }

  learn(length: number): void {
    this.usualLength = length;
  }

  async connect(): Promise<void> {
    for (const client of this.clients) {
      await client.open(this.load.port);
      if (client.gone) throw new Error('an HTTP connection was refused');
    }
  }

  start(): void {
    this.running = true;
    for (const client of this.clients) client.send();
  }

  stop(): void {
    this.running = false;
    this.ledger.lastSentAtMs = Date.now();
  }

  settled(): boolean {
    return this.ledger.unanswered === 0;
  }

  close(): void {
    for (const client of this.clients) client.close();
  }
}
