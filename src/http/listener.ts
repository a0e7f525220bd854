import type { Clock } from '../core/clock.js';
import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { MessageRates } from '../device/message-rate.js';
import { DeviceRoutes, type TokenSource } from './device-routes.js';
import type { IngestPort } from './intake.js';
import type { HttpOptions } from './options.js';
import { HttpServer } from './server.js';

const tickMs = 1000;

/** The HTTP device API: its server, its routes and their coarse timer, from `listen` to `stop`. */
export class HttpListener {
  readonly #logger: Logger;
  readonly #routes: DeviceRoutes;
  readonly #server: HttpServer;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: HttpOptions,
    batcher: IngestPort,
    credentials: TokenSource,
    rates: MessageRates,
  ) {
    this.#logger = logger;
    this.#routes = new DeviceRoutes(clock, logger, metrics, options, batcher, credentials, rates);
    const { host, port, connectionsMax } = options;
    this.#server = new HttpServer(
      logger,
      metrics,
      { section: 'http', host, port, connectionsMax },
      this.#routes.routes(),
    );
    this.#timer = undefined;
  }

  /** Errors: see `HttpServer.listen`. */
  async listen(): Promise<{ port: number }> {
    const address = await this.#server.listen();
    this.#timer = setInterval(() => this.#routes.tick(), tickMs).unref();
    return address;
  }

  /** Memory of bodies that are in no batch; 0 when nothing is under way. */
  get bodiesBytes(): number {
    return this.#routes.bodiesBytes;
  }

  /**
   * Accepts nothing new, answers new requests with 503, waits for what is in a batch to be settled,
   * for `graceMs` at most, and ends all connections.
   */
  async stop(graceMs: number): Promise<void> {
    this.#server.stopAccepting();
    const settled = await withinMs(this.#routes.drain(), graceMs);
    if (!settled) this.#logger.warn('http_stop_cut_short', { graceMs });
    // Long enough for clients in the middle of a request to read why, and to go elsewhere.
    await new Promise((resolve) => setTimeout(resolve, limits.httpStopLingerMs));
    clearInterval(this.#timer);
    this.#server.close();
  }
}

async function withinMs(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
