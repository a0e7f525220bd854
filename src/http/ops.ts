import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import {
  type HttpRequest,
  type HttpResponse,
  HttpServer,
  type Route,
  writeBody,
} from './server.js';

/** One thing that the node depends on, as `/readyz` shows it. */
export interface Dependency {
  readonly name: string;
  readonly ok: boolean;
  /** Wall clock of the last change of `ok`, milliseconds since 1970. */
  readonly sinceMs: number;
  /** One sentence for an operator; no secrets, no versions. */
  readonly detail: string;
  /**
   * Whether messages can be accepted without it. The journal, the disk and the drain flag are
   * required; ClickHouse is not: the journal keeps what it cannot take.
   */
  readonly required: boolean;
}

/** Who knows how the node is; asked at each request to `/readyz`. */
export interface ReadinessSource {
  dependencies(): readonly Dependency[];
}

export interface OpsOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

const connectionsMax = 100;
const loopDelayResolutionMs = 10;
const nanosecondsPerSecond = 1e9;

/** `/livez`, `/readyz` and `/metrics`, on a port of their own that only operators should reach. */
export class OpsServer {
  readonly #metrics: Metrics;
  readonly #readiness: ReadinessSource;
  readonly #server: HttpServer;
  readonly #loopDelay: IntervalHistogram;

  constructor(logger: Logger, metrics: Metrics, options: OpsOptions, readiness: ReadinessSource) {
    this.#metrics = metrics;
    this.#readiness = readiness;
    this.#server = new HttpServer(
      logger,
      metrics,
      { section: 'metrics', host: options.host, port: options.port, connectionsMax },
      this.#routes(),
    );
    this.#loopDelay = monitorEventLoopDelay({ resolution: loopDelayResolutionMs });
  }

  /** Errors: see `HttpServer.listen`. */
  async listen(): Promise<{ port: number }> {
    const address = await this.#server.listen();
    this.#loopDelay.enable();
    return address;
  }

  close(): void {
    this.#loopDelay.disable();
    this.#server.close();
  }

  #routes(): readonly Route[] {
    return [
      { method: 'GET', pattern: '/livez', handle: sendLiveness },
      {
        method: 'GET',
        pattern: '/readyz',
        handle: (response, request) => this.#sendReadiness(response, isHead(request)),
      },
      {
        method: 'GET',
        pattern: '/metrics',
        handle: (response, request) => this.#sendMetrics(response, isHead(request)),
      },
    ];
  }

  #sendReadiness(response: HttpResponse, head: boolean): void {
    let ready = true;
    const dependencies: Record<string, { ok: boolean; since: string; detail: string }> = {};
    for (const { name, ok, sinceMs, detail, required } of this.#readiness.dependencies()) {
      if (required && !ok) ready = false;
      dependencies[name] = { ok, since: new Date(sinceMs).toISOString(), detail };
    }
    const body = `${JSON.stringify({ ready, dependencies })}\n`;
    send(response, ready ? '200 OK' : '503 Service Unavailable', json, body, head);
  }

  #sendMetrics(response: HttpResponse, head: boolean): void {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    const { eventLoopDelay, memory, registry } = this.#metrics;
    const delay = this.#loopDelay.count > 0 ? this.#loopDelay.percentile(99) : 0;
    eventLoopDelay.set(delay / nanosecondsPerSecond);
    this.#loopDelay.reset();
    memory.set(process.memoryUsage.rss());
    const answer = (status: string, type: string, body: string): void => {
      if (!aborted) response.cork(() => send(response, status, type, body, head));
    };
    registry.metrics().then(
      (body) => answer('200 OK', registry.contentType, body),
      () => answer('500 Internal Server Error', text, 'a metric cannot be collected\n'),
    );
  }
}

const text = 'text/plain; charset=utf-8';
const json = 'application/json';

/** That this is answered at all shows that the event loop turns. */
function sendLiveness(response: HttpResponse, request: HttpRequest): void {
  send(response, '200 OK', text, 'ok\n', isHead(request));
}

function isHead(request: HttpRequest): boolean {
  return request.getCaseSensitiveMethod() === 'HEAD';
}

function send(
  response: HttpResponse,
  status: string,
  type: string,
  body: string,
  head: boolean,
): void {
  response.writeStatus(status).writeHeader('Content-Type', type);
  writeBody(response, body, false, head);
}
