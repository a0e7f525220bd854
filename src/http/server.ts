import { createServer } from 'node:net';
import { messageOf, NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { Framing } from './framing.js';
import { type Answer, answers, badRequest, methodNotAllowed, methodsAllowed } from './status.js';

/**
 * The one door to uWebSockets.js: listening, routing, and how an answer is written.
 *
 * Called by the device listener and the operations server. It knows nothing of devices. The types
 * below are the part of the engine that we use; the engine's own rules are in the README here.
 */
export interface HttpRequest {
  /** The path's n-th parameter as sent, percent-encoded. */
  getParameter(index: number): string;
  getCaseSensitiveMethod(): string;
  forEach(visit: (name: string, value: string) => void): void;
}

/** Valid until it was ended or aborted; any later call throws. */
export interface HttpResponse {
  writeStatus(status: string): HttpResponse;
  writeHeader(name: string, value: string): HttpResponse;
  end(body?: string, closeConnection?: boolean): HttpResponse;
  /** Without a length: with one, this engine does not take the response for ended. */
  endWithoutBody(): HttpResponse;
  /** Sends what `write` writes in one system call; needed outside of the engine's callbacks. */
  cork(write: () => void): HttpResponse;
  onAborted(handler: () => void): HttpResponse;
  /** `chunk` is detached when the handler returns. */
  onData(handler: (chunk: ArrayBuffer, last: boolean) => void): HttpResponse;
  /** Ends the connection without an answer. */
  close(): HttpResponse;
}

/** Must answer, or register `onAborted`, before it returns. `framing` holds until then. */
export type Handler = (response: HttpResponse, request: HttpRequest, framing: Framing) => void;

export interface Route {
  /** The handler of GET also gets HEAD. */
  readonly method: 'GET' | 'POST';
  /** The engine's pattern: `:name` is one whole, not empty segment of the path. */
  readonly pattern: string;
  readonly handle: Handler;
}

export interface ServerOptions {
  /** Its section of the configuration, and the label `protocol` of its metrics. */
  readonly section: 'http' | 'metrics';
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly connectionsMax: number;
}

interface App {
  any(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): App;
  get(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): App;
  head(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): App;
  post(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): App;
  filter(handler: (response: HttpResponse, change: number) => void): App;
  listen(host: string, port: number, options: number, done: (socket: unknown) => void): App;
  close(): App;
}

interface Engine {
  App(): App;
  us_listen_socket_close(socket: unknown): void;
  us_socket_local_port(socket: unknown): number;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}

/** A listening socket, its routes and its connections, from `listen` to `close`. */
export class HttpServer {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #options: ServerOptions;
  readonly #routes: readonly Route[];
  readonly #framing: Framing;
  #engine: Engine | undefined;
  #app: App | undefined;
  #listening: unknown;
  #connections: number;
  #stopping: boolean;

  constructor(logger: Logger, metrics: Metrics, options: ServerOptions, routes: readonly Route[]) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#options = options;
    this.#routes = routes;
    this.#framing = new Framing();
    this.#engine = undefined;
    this.#app = undefined;
    this.#listening = undefined;
    this.#connections = 0;
    this.#stopping = false;
  }

  /**
   * Resolves once connections are accepted, with the port. Errors: SLUICE_BINARY_MISSING,
   * SLUICE_PORT_TAKEN, SLUICE_PORT_DENIED, SLUICE_CONFIG_INVALID (an address that is not ours).
   */
  async listen(): Promise<{ port: number }> {
    const engine = await loadEngine(() => import('uWebSockets.js'));
    const app = engine.App();
    app.filter((response, change) => this.#onConnection(response, change));
    this.#register(app);
    const { host, port } = this.#options;
    let socket: unknown = false;
    // Without this option the engine shares the port with whoever else listens on it.
    app.listen(host, port, engine.LIBUS_LISTEN_EXCLUSIVE_PORT, (opened) => {
      socket = opened;
    });
    if (!socket) throw await listenError(this.#options.section, host, port);
    this.#engine = engine;
    this.#app = app;
    this.#listening = socket;
    return { port: engine.us_socket_local_port(socket) };
  }

  /** Accepts no more connections; requests on open ones are answered with 503 and end them. */
  stopAccepting(): void {
    this.#stopping = true;
    if (this.#listening !== undefined) this.#engine?.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }

  /** Ends every connection, answered or not. */
  close(): void {
    this.stopAccepting();
    this.#app?.close();
    this.#app = undefined;
  }

  get connections(): number {
    return this.#connections;
  }

  #register(app: App): void {
    const allowed = new Map<string, string[]>();
    for (const route of this.#routes) {
      const guarded = this.#guard(route.handle);
      const methods = allowed.get(route.pattern) ?? [];
      if (route.method === 'GET') {
        app.get(route.pattern, guarded).head(route.pattern, guarded);
        allowed.set(route.pattern, [...methods, 'GET', 'HEAD']);
      } else {
        app.post(route.pattern, guarded);
        allowed.set(route.pattern, [...methods, 'POST']);
      }
    }
    for (const [pattern, methods] of allowed) {
      const allow = [...methods, 'OPTIONS'].join(', ');
      const options = methodsAllowed(allow);
      const other = methodNotAllowed(allow);
      app.any(
        pattern,
        this.#guard((response, request, framing) => {
          const asked = request.getCaseSensitiveMethod() === 'OPTIONS';
          refuse(response, request, framing, asked ? options : other);
        }),
      );
    }
    app.any(
      '/*',
      this.#guard((response, request, framing) => {
        refuse(response, request, framing, answers.notFound);
      }),
    );
  }

  /** Refuses what no route may see: doubtful framing, and everything while stopping. */
  #guard(handle: Handler): (response: HttpResponse, request: HttpRequest) => void {
    const framing = this.#framing;
    return (response, request) => {
      framing.read(request);
      if (framing.flaw !== '') {
        this.#metrics.connectionsClosed.inc({ protocol: this.#options.section, reason: 'framing' });
        this.#logger.limited('http_framing_refused', { flaw: framing.flaw });
        refuse(response, request, framing, badRequest(framing.flaw));
      } else if (this.#stopping) {
        refuse(response, request, framing, answers.stopping);
      } else {
        handle(response, request, framing);
      }
    };
  }

  #onConnection(response: HttpResponse, change: number): void {
    this.#connections += change;
    this.#metrics.connections.inc({ protocol: this.#options.section }, change);
    if (change > 0 && this.#connections > this.#options.connectionsMax) {
      this.#metrics.connectionsRefused.inc({ protocol: this.#options.section, reason: 'limit' });
      response.close();
    }
  }
}

/**
 * Answers a request in its handler, before its body was read; the engine drops the body.
 *
 * When the connection must end, or its chunked framing is the engine's lenient reading of it, the
 * answer waits for the end of this read: until then the engine takes a further request in the same
 * bytes for a protocol violation and ends the connection, while after an answer it would serve it.
 */
export function refuse(
  response: HttpResponse,
  request: HttpRequest,
  framing: Framing,
  answer: Answer,
): void {
  const head = request.getCaseSensitiveMethod() === 'HEAD';
  if (!answer.closes && !framing.chunked) {
    writeAnswer(response, answer, false, head);
    return;
  }
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  setImmediate(() => {
    if (!aborted) response.cork(() => writeAnswer(response, answer, true, head));
  });
}

/** Writes the whole answer and, on request, ends the connection; to be called corked. */
export function writeAnswer(
  response: HttpResponse,
  answer: Answer,
  close: boolean,
  head = false,
): void {
  response.writeStatus(answer.status);
  if (answer.allow !== '') response.writeHeader('Allow', answer.allow);
  if (answer.retryAfterSeconds > 0) {
    response.writeHeader('Retry-After', String(answer.retryAfterSeconds));
  }
  if (answer.body !== '') response.writeHeader('Content-Type', 'application/json');
  writeBody(response, answer.body, close, head);
}

/** Ends the response; one to HEAD tells the body's length and leaves it out. */
export function writeBody(
  response: HttpResponse,
  body: string,
  close: boolean,
  head: boolean,
): void {
  if (head && !close) {
    response.writeHeader('Content-Length', String(Buffer.byteLength(body))).endWithoutBody();
  } else {
    response.end(body, close);
  }
}

/** Loads the native engine; `load` is a parameter so that its absence can be tested. */
export async function loadEngine(load: () => Promise<{ default: unknown }>): Promise<Engine> {
  try {
    return (await load()).default as Engine;
  } catch (thrown) {
    throw new NodeError(
      'SLUICE_BINARY_MISSING',
      `cannot load uWebSockets.js for Node ${process.version}: ${firstLine(messageOf(thrown))}`,
      'Run Node 20, or install the official build for this version: npm install ' +
        'uWebSockets.js@github:uNetworking/uWebSockets.js#TAG, with the tag its releases name.',
      thrown,
    );
  }
}

/** Finds out why the engine, which does not say, could not listen. */
async function listenError(section: string, host: string, port: number): Promise<NodeError> {
  const code = await new Promise<string>((resolve) => {
    const probe = createServer();
    probe.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve('unknown')));
  });
  const action = `cannot listen on ${host}:${port}`;
  if (code === 'EADDRINUSE' || code === 'unknown') {
    return new NodeError(
      'SLUICE_PORT_TAKEN',
      `${action}: the port is in use`,
      `Stop the other program or set ${section}.port to another port.`,
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new NodeError(
      'SLUICE_PORT_DENIED',
      `${action}: this user may not bind it`,
      `Set ${section}.port to a port above 1023, or grant the right to bind it.`,
    );
  }
  return new NodeError(
    'SLUICE_CONFIG_INVALID',
    `${action}: ${code}`,
    `Set ${section}.host to an address of this machine.`,
  );
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
