import net from 'node:net';
import { type Clock, systemClock } from '../../src/core/clock.js';
import { newDeviceId } from '../../src/core/ids.js';
import { limits } from '../../src/core/limits.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics, type Metrics } from '../../src/core/metrics.js';
import { Outcome } from '../../src/core/outcome.js';
import { MessageRates } from '../../src/device/message-rate.js';
import { HttpListener } from '../../src/http/listener.js';
import { type HttpOptions, httpDefaults } from '../../src/http/options.js';
import type { Batch } from '../../src/ingest/batch.js';
import { Batcher, type BatchSink } from '../../src/ingest/batcher.js';
import { createDevice, type Device } from '../../src/registry/device.js';

/** One message as the pipeline would see it. */
export interface StoredMessage {
  readonly device: string;
  readonly kind: number;
  readonly topic: string;
  readonly payload: string;
}

export type Verdict = readonly [outcome: number, offset: number];

/**
 * Stands in for workers and journal behind the real batcher: remembers every message and settles it
 * as `decide` says, in the order of arrival, as soon as `open` is true.
 */
export class SettlingSink implements BatchSink {
  inFlight = 0;
  /** False holds every batch back, as a journal does that cannot sync. */
  open = true;
  readonly messages: StoredMessage[] = [];
  /** Counted always; `messages` only while `remember` is true. */
  messagesTaken = 0;
  remember = true;
  decide: (message: StoredMessage) => Verdict = () => [Outcome.accepted, -1];
  readonly #held: Batch[] = [];
  #recycle: (batch: Batch) => void = () => {};

  connect(recycle: (batch: Batch) => void): void {
    this.#recycle = recycle;
  }

  take(batch: Batch): void {
    this.inFlight += 1;
    this.#held.push(batch);
    if (this.open) setImmediate(() => this.release());
  }

  /** Settles every batch that was taken. */
  release(): void {
    for (const batch of this.#held.splice(0)) {
      for (let row = 0; row < batch.rows; row++) this.#settle(batch, row);
      this.inFlight -= 1;
      this.#recycle(batch);
    }
  }

  #settle(batch: Batch, row: number): void {
    const message = this.remember ? read(batch, row) : unread;
    this.messagesTaken += 1;
    if (this.remember) this.messages.push(message);
    const [outcome, offset] = this.decide(message);
    batch.origins[row]?.settle(batch.refs[row] ?? -1, outcome, offset);
  }
}

const unread: StoredMessage = { device: '', kind: 0, topic: '', payload: '' };

function read(batch: Batch, row: number): StoredMessage {
  const { arena, start, length, topicStart, topicLength, kind, device } = batch.view;
  const text = (from = 0, bytes = 0): string =>
    Buffer.from(arena.buffer, arena.byteOffset + from, bytes).toString('latin1');
  return {
    device: device.subarray(row * 4, row * 4 + 4).join(),
    kind: kind[row] ?? -1,
    topic: text(topicStart[row], topicLength[row]),
    payload: text(start[row], length[row]),
  };
}

/** A registry in memory. Tokens in `uncached` are unknown to the cache until they were resolved. */
export class Tokens {
  readonly devices = new Map<string, Device>();
  readonly uncached = new Set<string>();
  /** What `resolveToken` waits for; one that rejects is a registry out of reach. */
  gate: () => Promise<void> = async () => {};

  add(token: string, enabled = true): Device {
    const device = createDevice({
      id: newDeviceId(),
      name: `device of ${token.slice(0, 2)}`,
      profile: 'default',
      label: '',
      enabled,
      gateway: false,
      normaliseFlags: 0,
    });
    this.devices.set(token, device);
    return device;
  }

  peekToken(token: string): Device | null | undefined {
    if (this.uncached.has(token)) return undefined;
    return this.devices.get(token) ?? null;
  }

  async resolveToken(token: string): Promise<Device | null> {
    await this.gate();
    this.uncached.delete(token);
    return this.devices.get(token) ?? null;
  }
}

/** A listener on a free port of 127.0.0.1 with one device, token `T1`. */
export interface HttpFixture {
  readonly port: number;
  readonly url: string;
  readonly sink: SettlingSink;
  readonly tokens: Tokens;
  readonly batcher: Batcher;
  readonly metrics: Metrics;
  readonly listener: HttpListener;
  readonly logged: string[];
  stop(): Promise<void>;
}

export async function startHttp(
  options: Partial<HttpOptions> = {},
  clock: Clock = systemClock(),
  rates: MessageRates = new MessageRates(0, 0),
): Promise<HttpFixture> {
  const sink = new SettlingSink();
  const pacing = { groupDelayMs: 0, eagerBytes: 64 * 1024, inFlightMax: 4 };
  const bodyBytesMax = options.bodyBytesMax ?? httpDefaults.bodyBytesMax;
  const arenaBytes = Math.max(limits.batchArenaBytes, bodyBytesMax + 2048);
  const batcher = new Batcher(clock, arenaBytes, pacing, sink);
  sink.connect((batch) => batcher.recycle(batch));
  const tokens = new Tokens();
  tokens.add('T1');
  const metrics = createMetrics();
  const logged: string[] = [];
  const log = (event: string, fields?: Record<string, unknown>): void => {
    logged.push(JSON.stringify({ event, ...fields }));
  };
  const logger = { ...silentLogger, info: log, warn: log, error: log, limited: log };
  const listener = new HttpListener(
    clock,
    logger,
    metrics,
    { ...httpDefaults, host: '127.0.0.1', port: 0, ...options },
    batcher,
    tokens,
    rates,
  );
  const { port } = await listener.listen();
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    sink.open = true;
    sink.release();
    await listener.stop(1000);
  };
  return { port, url, sink, tokens, batcher, metrics, listener, logged, stop };
}

/** The system's clocks, with a monotonic one that a test can move on. */
export function movableClock(): Clock & { advance(ms: number): void } {
  const clock = systemClock();
  let ahead = 0;
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + ahead,
    advance(ms): void {
      ahead += ms;
    },
  };
}

/** What a raw connection brought, once it ended or was enough. */
export interface RawExchange {
  readonly received: string;
  readonly closed: boolean;
}

/**
 * Sends `pieces` on one connection, each after the server has answered the one before (or, without
 * an answer, never), and resolves when the server ends the connection or `enough` is satisfied.
 */
export async function sendRaw(
  port: number,
  pieces: readonly string[],
  enough: (received: string) => boolean = () => false,
): Promise<RawExchange> {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  let received = '';
  let sent = 0;
  const sendNext = (): void => {
    const piece = pieces[sent];
    sent += 1;
    if (piece !== undefined) socket.write(Buffer.from(piece, 'latin1'));
  };
  return await new Promise<RawExchange>((resolve) => {
    socket.on('connect', sendNext);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (enough(received)) {
        resolve({ received, closed: false });
        socket.destroy();
      } else if (responses(sent)(received)) {
        sendNext();
      }
    });
    // A reset by the server is an end like any other.
    socket.on('error', () => {});
    socket.on('close', () => resolve({ received, closed: true }));
  });
}

/** The status codes of the responses in `received`, in order. */
export function statusCodes(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

/** True when `count` final responses with a Content-Length are complete in `received`. */
export function responses(count: number): (received: string) => boolean {
  return (received) => {
    let rest = received;
    for (let index = 0; index < count; index++) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return false;
      const length = /\r\nContent-Length: (\d+)/.exec(rest.slice(0, end + 2));
      const isInterim = rest.startsWith('HTTP/1.1 100');
      if (isInterim) index -= 1;
      rest = rest.slice(end + 4 + (isInterim ? 0 : Number(length?.[1] ?? 0)));
    }
    return true;
  };
}
