import type { Clock } from '../core/clock.js';
import type { Metrics } from '../core/metrics.js';
import type { Batch } from '../ingest/batch.js';
import type { Batcher } from '../ingest/batcher.js';
import { MessageKind, Protocol } from '../normalise/batch-layout.js';
import type { Device } from '../registry/device.js';
import type { AnswerWriter } from './answer-writer.js';
import type { Exchange } from './exchange.js';
import { Fifo } from './fifo.js';
import { Pending } from './pending.js';
import { answers } from './status.js';

/** The part of the batcher that protocols use. */
export type IngestPort = Pick<Batcher, 'open' | 'submit' | 'whenRoom' | 'onSettled'>;

const pathOfTelemetry = new TextEncoder().encode('/api/v1/{token}/telemetry');
const pathOfAttributes = new TextEncoder().encode('/api/v1/{token}/attributes');
const pathBytesMax = pathOfAttributes.length;

/**
 * @hot Puts complete bodies into the open batch, or, when there is no room, into a queue that is
 * served in order as soon as there is some. The queue is bounded by the budget of its bodies.
 */
export class Intake {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #batcher: IngestPort;
  readonly #writer: AnswerWriter;
  readonly #pending: Pending;
  readonly #waiting: Fifo<Exchange>;
  /** True while `#resume` is queued with the batcher. */
  #resumePending: boolean;
  /**
   * Where the paths lie in the arena of the open batch, -1 for not written yet: they are copied
   * once per batch, not per message. A batch may be another one after any flush or resume.
   */
  #pathBatch: Batch | undefined;
  #telemetryPathAt: number;
  #attributesPathAt: number;
  #telemetryCount: number;
  #attributesCount: number;

  constructor(clock: Clock, metrics: Metrics, batcher: IngestPort, writer: AnswerWriter) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#batcher = batcher;
    this.#writer = writer;
    this.#pending = new Pending(writer);
    this.#waiting = new Fifo();
    this.#resumePending = false;
    this.#pathBatch = undefined;
    this.#telemetryPathAt = -1;
    this.#attributesPathAt = -1;
    this.#telemetryCount = 0;
    this.#attributesCount = 0;
    batcher.onSettled(() => this.#flush());
  }

  /** Adds a body of foreign memory if there is room now and nobody waits; copies it. */
  tryAdd(exchange: Exchange, device: Device, body: Uint8Array): boolean {
    if (this.#waiting.length > 0 || !this.#put(exchange, device, body)) return false;
    this.#batcher.submit();
    return true;
  }

  /** Adds an exchange with its own body, at once or later; the body is released then. */
  add(exchange: Exchange): void {
    this.#waiting.push(exchange);
    this.#serve();
  }

  /** Answers everything that waits for room with 503. */
  refuseWaiting(): void {
    for (;;) {
      const exchange = this.#waiting.shift();
      if (exchange === undefined) return;
      exchange.body?.release();
      this.#writer.writeLater(exchange, answers.stopping);
    }
  }

  async idle(): Promise<void> {
    await this.#pending.idle();
  }

  /** Adds what was counted to the metrics. */
  report(): void {
    const received = this.#metrics.messagesReceived;
    if (this.#telemetryCount > 0) {
      received.inc({ protocol: 'http', qos: '', kind: 'telemetry' }, this.#telemetryCount);
    }
    if (this.#attributesCount > 0) {
      received.inc({ protocol: 'http', qos: '', kind: 'attributes' }, this.#attributesCount);
    }
    this.#telemetryCount = 0;
    this.#attributesCount = 0;
  }

  #put(exchange: Exchange, device: Device, body: Uint8Array): boolean {
    const batch = this.#batcher.open(body.length + pathBytesMax);
    if (batch === undefined) return false;
    const kind = exchange.kind;
    const telemetry = kind === MessageKind.telemetryJson || kind === MessageKind.telemetryMsgpack;
    if (telemetry) this.#telemetryCount += 1;
    else this.#attributesCount += 1;
    const path = telemetry ? pathOfTelemetry : pathOfAttributes;
    const pathAt = this.#pathAt(batch, telemetry, path);
    const start = batch.copyIn(body, 0, body.length);
    batch.addRow(
      device,
      kind,
      Protocol.http,
      this.#clock.now(),
      start,
      body.length,
      pathAt,
      path.length,
      this.#pending,
      this.#pending.add(exchange),
    );
    return true;
  }

  #pathAt(batch: Batch, telemetry: boolean, path: Uint8Array): number {
    if (batch !== this.#pathBatch) {
      this.#pathBatch = batch;
      this.#telemetryPathAt = -1;
      this.#attributesPathAt = -1;
    }
    let at = telemetry ? this.#telemetryPathAt : this.#attributesPathAt;
    if (at < 0) {
      at = batch.copyIn(path, 0, path.length);
      if (telemetry) this.#telemetryPathAt = at;
      else this.#attributesPathAt = at;
    }
    return at;
  }

  /** Serves the queue in order while there is room. */
  #serve(): void {
    let added = false;
    for (;;) {
      const exchange = this.#waiting.peek();
      if (exchange === undefined) break;
      const { body, device } = exchange;
      if (body !== undefined && device !== undefined) {
        if (!this.#put(exchange, device, body.view())) break;
        body.release();
        added = true;
      }
      this.#waiting.shift();
    }
    if (added) this.#batcher.submit();
    if (this.#waiting.length > 0 && !this.#resumePending) {
      this.#resumePending = true;
      this.#batcher.whenRoom(this.#resume);
    }
  }

  readonly #resume = (): void => {
    this.#resumePending = false;
    this.#pathBatch = undefined;
    this.#serve();
  };

  #flush(): void {
    this.#pathBatch = undefined;
    this.#pending.flush();
    this.#writer.report();
    this.report();
  }
}
