import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { MessageRates } from '../device/message-rate.js';
import { MessageKind } from '../normalise/batch-layout.js';
import type { Device } from '../registry/device.js';
import { AnswerWriter } from './answer-writer.js';
import { Appended, Body, BodyBudget } from './body.js';
import { Exchange } from './exchange.js';
import { Expander } from './expand.js';
import type { Framing } from './framing.js';
import { type IngestPort, Intake } from './intake.js';
import type { HttpOptions } from './options.js';
import type { HttpRequest, HttpResponse, Route } from './server.js';
import { refuse } from './server.js';
import { type Answer, answers, bodyTooLarge, expandedTooLarge, rateLimited } from './status.js';

/** The part of the credential cache that is used here. */
export interface TokenSource {
  /** The device, null when there is none for sure, undefined when the registry must be asked. */
  peekToken(token: string): Device | null | undefined;
  resolveToken(token: string): Promise<Device | null>;
}

/**
 * @hot `POST /api/v1/{token}/telemetry` and `/attributes`: authentication, limits, the body, and
 * the hand-over to `Intake`. What is wrong with a request is answered as early as it is known.
 *
 * A request allocates what the engine's callbacks need and no more: its exchange, two closures, and
 * a view of the bytes that arrived.
 */
export class DeviceRoutes {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #options: HttpOptions;
  readonly #credentials: TokenSource;
  readonly #writer: AnswerWriter;
  readonly #intake: Intake;
  readonly #budget: BodyBudget;
  readonly #expander: Expander;
  readonly #rates: MessageRates;
  /** Exchanges whose body comes in pieces; walked by the coarse timer. */
  readonly #receiving: Set<Exchange>;
  readonly #tooLarge: Answer;
  readonly #expandedTooLarge: Answer;
  #stopping: boolean;

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: HttpOptions,
    batcher: IngestPort,
    credentials: TokenSource,
    rates: MessageRates,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#options = options;
    this.#credentials = credentials;
    this.#writer = new AnswerWriter(metrics);
    this.#intake = new Intake(clock, metrics, batcher, this.#writer);
    this.#budget = new BodyBudget(options.bodiesOpenBytesMax);
    this.#expander = new Expander(options.bodyBytesMax, limits.gzipRatioMax);
    this.#rates = rates;
    this.#receiving = new Set();
    this.#tooLarge = bodyTooLarge(options.bodyBytesMax);
    this.#expandedTooLarge = expandedTooLarge(options.bodyBytesMax, limits.gzipRatioMax);
    this.#stopping = false;
  }

  routes(): readonly Route[] {
    const { telemetryJson, telemetryMsgpack, attributesJson, attributesMsgpack } = MessageKind;
    return [
      {
        method: 'POST',
        pattern: '/api/v1/:token/telemetry',
        handle: (response, request, framing) =>
          this.#post(response, request, framing, telemetryJson, telemetryMsgpack),
      },
      {
        method: 'POST',
        pattern: '/api/v1/:token/attributes',
        handle: (response, request, framing) =>
          this.#post(response, request, framing, attributesJson, attributesMsgpack),
      },
    ];
  }

  /** To be called about once per second: ends slow bodies, reports counters. */
  tick(): void {
    const now = this.#clock.monotonic();
    for (const exchange of this.#receiving) {
      if (now >= exchange.deadline) this.#refuse(exchange, answers.bodyTimeout);
    }
    this.#metrics.httpBodies.set(this.bodiesBytes);
    this.#writer.report();
    this.#intake.report();
  }

  /** Refuses what is not in a batch yet; resolves when everything else was answered. */
  async drain(): Promise<void> {
    this.#stopping = true;
    this.#writer.stopping = true;
    for (const exchange of this.#receiving) this.#refuse(exchange, answers.stopping);
    this.#intake.refuseWaiting();
    await this.#intake.idle();
    this.tick();
  }

  /** Memory of bodies that are in no batch; 0 when nothing is under way. */
  get bodiesBytes(): number {
    return this.#budget.used;
  }

  #post(
    response: HttpResponse,
    request: HttpRequest,
    framing: Framing,
    jsonKind: MessageKind,
    msgpackKind: MessageKind,
  ): void {
    const token = decodeToken(request.getParameter(0));
    const device = token === undefined ? null : this.#credentials.peekToken(token);
    const refusal = this.#refusalOf(device, framing);
    if (refusal !== undefined) {
      this.#writer.count(refusal);
      refuse(response, request, framing, refusal);
      return;
    }
    const kind = isMsgpack(framing.contentType) ? msgpackKind : jsonKind;
    const gzip = framing.contentEncoding !== '' && isGzip(framing.contentEncoding);
    const exchange = new Exchange(response, device ?? undefined, kind, gzip, framing.chunked);
    response.onAborted(() => this.#abort(exchange));
    response.onData((chunk, last) => this.#receive(exchange, chunk, last));
    // `#resolve` never rejects: it answers.
    if (device === undefined && token !== undefined) void this.#resolve(exchange, token);
  }

  /** What can be told from the header alone. */
  #refusalOf(device: Device | null | undefined, framing: Framing): Answer | undefined {
    if (device === null || device?.enabled === false) return this.#refuseCredentials(device);
    if (!framing.hasBody) return answers.bodyMissing;
    if (framing.contentLength > this.#options.bodyBytesMax) return this.#tooLarge;
    if (framing.contentEncoding !== '' && !isKnownEncoding(framing.contentEncoding)) {
      return answers.encodingUnknown;
    }
    return device === undefined ? undefined : this.#overRate(device);
  }

  #refuseCredentials(device: Device | null): Answer {
    const reason = device === null ? 'token' : 'disabled';
    this.#metrics.connectionsRefused.inc({ protocol: 'http', reason });
    if (device !== null) this.#logger.limited('http_device_disabled', { device: device.name });
    return answers.unauthorized;
  }

  #overRate(device: Device): Answer | undefined {
    const now = this.#clock.monotonic();
    const bucket = this.#rates.of(device.id, now);
    if (bucket === undefined) return undefined;
    const wait = bucket.waitMs(now);
    if (wait === 0) {
      bucket.spend(1);
      return undefined;
    }
    this.#metrics.rateLimited.inc({ limit: 'deviceMessagesPerSecond' });
    this.#logger.limited('http_rate_limited', { device: device.name });
    return rateLimited(wait);
  }

  async #resolve(exchange: Exchange, token: string): Promise<void> {
    let device: Device | null;
    try {
      device = await this.#credentials.resolveToken(token);
    } catch (thrown) {
      this.#logger.limited('http_registry_failed', { error: messageOf(thrown) });
      this.#refuse(exchange, answers.registryUnavailable);
      return;
    }
    if (exchange.over) return;
    const refusal =
      device === null || !device.enabled ? this.#refuseCredentials(device) : this.#overRate(device);
    if (refusal !== undefined || device === null) {
      this.#refuse(exchange, refusal ?? answers.unauthorized);
      return;
    }
    exchange.device = device;
    if (exchange.complete) this.#prepare(exchange);
  }

  #receive(exchange: Exchange, chunk: ArrayBuffer, last: boolean): void {
    if (exchange.over) return;
    const piece = new Uint8Array(chunk);
    if (last && exchange.body === undefined && exchange.device !== undefined && !exchange.gzip) {
      if (piece.length > this.#options.bodyBytesMax) {
        this.#refuse(exchange, this.#tooLarge);
        return;
      }
      exchange.complete = true;
      if (this.#intake.tryAdd(exchange, exchange.device, piece)) return;
    }
    const body = this.#bodyOf(exchange, last);
    const appended = last ? body.appendLast(piece) : body.append(piece);
    if (appended !== Appended.ok) {
      this.#refuse(exchange, appended === Appended.tooLarge ? this.#tooLarge : answers.overload);
      return;
    }
    if (!last) return;
    exchange.complete = true;
    this.#receiving.delete(exchange);
    if (exchange.device !== undefined) this.#prepare(exchange);
  }

  #bodyOf(exchange: Exchange, last: boolean): Body {
    let body = exchange.body;
    if (body === undefined) {
      body = new Body(this.#budget, this.#options.bodyBytesMax);
      exchange.body = body;
      if (!last) {
        exchange.deadline = this.#clock.monotonic() + limits.httpBodyDeadlineMs;
        this.#receiving.add(exchange);
      }
    }
    return body;
  }

  /** The body is complete in memory of its own and the device is known. */
  #prepare(exchange: Exchange): void {
    const body = exchange.body;
    if (body === undefined) return;
    if (!exchange.gzip) {
      this.#submit(exchange);
      return;
    }
    this.#expander.expand(body.view(), (bytes, failure) => {
      if (bytes === undefined) {
        const tooLarge = failure === 'tooLarge';
        this.#refuse(exchange, tooLarge ? this.#expandedTooLarge : answers.gzipMalformed);
      } else if (!body.replace(bytes)) {
        this.#refuse(exchange, answers.overload);
      } else {
        this.#submit(exchange);
      }
    });
  }

  #submit(exchange: Exchange): void {
    if (this.#stopping) this.#refuse(exchange, answers.stopping);
    else this.#intake.add(exchange);
  }

  /**
   * Answers an exchange that is in no batch. The answer waits for the end of this turn: the engine
   * may still be reading the bytes that the body came in.
   */
  #refuse(exchange: Exchange, answer: Answer): void {
    if (exchange.over) return;
    exchange.over = true;
    exchange.closes = exchange.closes || !exchange.complete;
    exchange.body?.release();
    this.#receiving.delete(exchange);
    if (exchange.response !== undefined) this.#writer.writeLater(exchange, answer);
  }

  /** The peer went away. A body that is whole is stored all the same: some devices do not wait. */
  #abort(exchange: Exchange): void {
    exchange.response = undefined;
    if (exchange.complete) return;
    exchange.over = true;
    exchange.body?.release();
    this.#receiving.delete(exchange);
  }
}

/** Returns undefined for what cannot be a token, so that the registry is not asked. */
function decodeToken(segment: string): string | undefined {
  let token = segment;
  if (segment.includes('%')) {
    try {
      token = decodeURIComponent(segment);
    } catch {
      return undefined;
    }
  }
  return token.length > limits.tokenBytesMax ? undefined : token;
}

function isMsgpack(contentType: string): boolean {
  if (contentType === '' || contentType === 'application/json') return false;
  const end = contentType.indexOf(';');
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  return type === 'application/msgpack' || type === 'application/x-msgpack';
}

/** RFC 9110 §8.4.1.3: `x-gzip` is the same. */
function isGzip(encoding: string): boolean {
  const lower = encoding.toLowerCase();
  return lower === 'gzip' || lower === 'x-gzip';
}

function isKnownEncoding(encoding: string): boolean {
  return isGzip(encoding) || encoding.toLowerCase() === 'identity';
}
