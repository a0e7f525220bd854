import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../core/clock.js';
import { messageOf, NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { MessageRates } from '../device/message-rate.js';
import type { Sessions } from '../device/sessions.js';
import { Connection } from './connection.js';
import { PauseReason } from './connection-state.js';
import { Hub, type MessageSink } from './hub.js';
import type { TokenSource } from './lookups.js';
import type { MqttOptions } from './options.js';
import { type CloseReason, ReasonCode } from './reason-codes.js';
import { Receiver } from './receiver.js';
import { acceptPlainly, acceptShared, type OnBytes, sharedReadWorks } from './socket-reader.js';
import { inspect, sweepEveryMs, ticksPerRound } from './sweep.js';
import { publishWill } from './will.js';
import type { Wire } from './wire.js';

/** How often a stopping listener looks whether everything is settled. */
const settledLookMs = 10;

/** Where a socket keeps its connection: found without a map, and without a closure per socket. */
const connectionOf = Symbol('connection');
type MqttSocket = Socket & { [connectionOf]?: Connection };

/** What carries a connection's bytes tells the listener through this. */
export interface Carrier {
  /** Bytes arrived; the listener keeps no view of them beyond the call. */
  receive(bytes: Buffer): void;
  /** What was written has left. */
  drained(): void;
  /** The carrier is gone; called once, also after `destroy`. */
  closed(): void;
}

/**
 * Listens for MQTT over TCP. `connections.length ≤ connectionsMax` always; every connection is at
 * `connections[connection.slot]`, and removed by moving the last one into its place.
 */
export class MqttListener {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #options: MqttOptions;
  readonly #hub: Hub;
  readonly #receiver: Receiver;
  readonly #connections: Connection[];
  #server: Server | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  /** Index below which the present round of the sweep has yet to look. */
  #sweepAt: number;
  /** Connections per tick in the present round. */
  #sweepShare: number;
  #memoryPaused: boolean;
  #stopping: boolean;
  #onEmpty: () => void;

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: MqttOptions,
    batcher: MessageSink,
    credentials: TokenSource,
    sessions: Sessions,
    rates: MessageRates,
  ) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#options = options;
    this.#hub = new Hub(clock, logger, metrics, options, batcher, credentials, sessions, rates);
    this.#receiver = new Receiver(this.#hub);
    this.#connections = [];
    this.#server = undefined;
    this.#sweepTimer = undefined;
    this.#sweepAt = 0;
    this.#sweepShare = 0;
    this.#memoryPaused = false;
    this.#stopping = false;
    this.#onEmpty = () => {};
    this.#hub.onResumed = (connection) => this.#receiver.resume(connection);
    this.#hub.onEnded = (connection, reason) => this.#ended(connection, reason);
    this.#hub.onRemoved = (connection) => this.#remove(connection);
    this.#hub.onMemoryExceeded = () => this.#pauseAll();
    batcher.onSettled(() => this.#hub.acks.flushAll());
  }

  /** Opens the port. Rejects with SLUICE_PORT_TAKEN or SLUICE_PORT_DENIED. */
  async listen(): Promise<{ readonly port: number }> {
    const shared = this.#options.sharedReadBuffer && (await sharedReadWorks());
    const server = createServer();
    this.#server = server;
    const port = await bind(server, this.#options.host, this.#options.port);
    server.on('error', (error) =>
      this.#logger.error('mqtt_accept_failed', { error: error.message }),
    );
    const onSocket = (socket: Socket): void => this.#accept(socket);
    const onBytes: OnBytes = (socket: MqttSocket, buffer, view, length) => {
      const connection = socket[connectionOf];
      if (connection !== undefined) this.#receiver.receive(connection, buffer, view, length);
    };
    if (!shared || !acceptShared(server, onSocket, onBytes)) {
      acceptPlainly(server, onSocket, onBytes);
      this.#logger.info('mqtt_plain_reads', { configured: !this.#options.sharedReadBuffer });
    }
    this.#sweepTimer = setInterval(() => this.#sweep(), sweepEveryMs);
    return { port };
  }

  /**
   * Stops accepting and reading, waits up to `graceMs` until what is in flight is settled and
   * acknowledged, then says good-bye and closes. Resolves when every socket is gone.
   */
  async stop(graceMs: number): Promise<void> {
    const server = this.#server;
    this.#stopping = true;
    if (server === undefined) return;
    // Accepted connections are counted by us: the callback of close is not needed.
    server.close();
    for (const connection of this.#connections) connection.pause(PauseReason.stopping);
    await this.#settled(graceMs);
    for (const connection of this.#connections.slice()) {
      connection.disconnect(ReasonCode.serverShuttingDown, 'shutdown');
    }
    await this.#empty(limits.lingerMs);
    for (const connection of this.#connections.slice()) connection.wire.destroy();
    await this.#empty(limits.lingerMs);
    clearInterval(this.#sweepTimer);
    this.#hub.rateWaiters.stop();
    this.#hub.counts.report();
  }

  // ── one socket ────────────────────────────────────────────────────────────────────────────────

  #accept(socket: MqttSocket): void {
    socket.on('error', ignore);
    const connection = this.#add(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket[connectionOf] = connection;
    socket.on('drain', onDrain);
    socket.on('close', onClose);
  }

  /**
   * Serves MQTT over something else than a TCP socket, e.g. WebSocket; undefined when no connection
   * is taken any more. The caller reports bytes, and both ends of a full write buffer.
   */
  attach(wire: Wire): Carrier | undefined {
    const connection = this.#add(wire);
    if (connection === undefined) return undefined;
    return {
      receive: (bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        this.#receiver.receive(connection, bytes, view, bytes.length);
      },
      drained: () => connection.unpause(PauseReason.writes),
      closed: () => connection.gone(),
    };
  }

  #add(wire: Wire): Connection | undefined {
    if (this.#stopping || this.#connections.length >= this.#options.connectionsMax) {
      const reason = this.#stopping ? 'shutdown' : 'connectionsMax';
      this.#metrics.connectionsRefused.inc({ protocol: 'mqtt', reason });
      this.#logger.limited('mqtt_connection_refused', { reason });
      return undefined;
    }
    const connection = new Connection(wire, this.#hub);
    connection.slot = this.#connections.length;
    this.#connections.push(connection);
    this.#metrics.connections.inc({ protocol: 'mqtt' });
    if (this.#memoryPaused) connection.pause(PauseReason.memory);
    return connection;
  }

  #remove(connection: Connection): void {
    const connections = this.#connections;
    const last = connections.pop();
    if (last !== undefined && last !== connection) {
      connections[connection.slot] = last;
      last.slot = connection.slot;
    }
    this.#metrics.connections.dec({ protocol: 'mqtt' });
    if (connections.length === 0) this.#onEmpty();
  }

  #ended(connection: Connection, reason: CloseReason): void {
    this.#metrics.connectionsClosed.inc({ protocol: 'mqtt', reason });
    this.#receiver.release(connection);
    const device = connection.device;
    if (device === undefined) return;
    this.#hub.sessions.unregister(device.id, connection);
    publishWill(this.#hub, connection, reason);
  }

  // ── all sockets ───────────────────────────────────────────────────────────────────────────────

  #sweep(): void {
    const hub = this.#hub;
    hub.now = Math.floor(hub.clock.monotonic());
    hub.counts.report();
    if (this.#memoryPaused && hub.heldBudget.relaxed) this.#resumeAll();
    this.#wakeCarryWaiters();
    const connections = this.#connections;
    // Downwards: a connection that goes is replaced by the last one, which was looked at already.
    if (this.#sweepAt === 0) {
      this.#sweepAt = connections.length;
      this.#sweepShare = Math.ceil(connections.length / ticksPerRound);
    }
    let at = Math.min(this.#sweepAt, connections.length);
    const end = Math.max(0, at - this.#sweepShare);
    while (at > end) {
      at -= 1;
      const connection = connections[at];
      if (connection !== undefined) inspect(hub, connection);
    }
    this.#sweepAt = end;
  }

  #wakeCarryWaiters(): void {
    const waiting = this.#hub.carryWaiters;
    if (waiting.length === 0) return;
    this.#hub.carryWaiters = [];
    for (const connection of waiting) connection.unpause(PauseReason.carry);
  }

  /** Too much is read and not processed: nobody is read until half of it is gone. */
  #pauseAll(): void {
    if (this.#memoryPaused) return;
    this.#memoryPaused = true;
    this.#logger.limited('mqtt_reading_paused', { heldBytes: this.#hub.heldBudget.used });
    for (const connection of this.#connections) connection.pause(PauseReason.memory);
  }

  #resumeAll(): void {
    this.#memoryPaused = false;
    for (const connection of this.#connections.slice()) connection.unpause(PauseReason.memory);
  }

  /** Resolves when no message waits for its outcome, or after `graceMs`. */
  async #settled(graceMs: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < graceMs; waitedMs += settledLookMs) {
      if (this.#connections.every((connection) => connection.unsettled === 0)) return;
      await new Promise((resolve) => setTimeout(resolve, settledLookMs));
    }
  }

  /** Resolves when no connection is left, or after `withinMs`. */
  async #empty(withinMs: number): Promise<void> {
    if (this.#connections.length === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A reset by the peer is followed by `close`; there is nothing else to do about it. */
function ignore(): void {}

// Shared by all sockets, which come as `this`: no closure per connection.

function onClose(this: MqttSocket): void {
  this[connectionOf]?.gone();
}

function onDrain(this: MqttSocket): void {
  this[connectionOf]?.unpause(PauseReason.writes);
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(error, host, port)));
    server.listen({ host, port, backlog: limits.listenBacklog }, () => {
      server.removeAllListeners('error');
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? port : address.port);
    });
  });
}

function bindError(error: NodeJS.ErrnoException, host: string, port: number): NodeError {
  const message = `cannot listen for MQTT on ${host}:${port}: ${messageOf(error)}`;
  if (error.code === 'EACCES') {
    return new NodeError('SLUICE_PORT_DENIED', message, 'Use mqtt.port above 1023.', error);
  }
  return new NodeError('SLUICE_PORT_TAKEN', message, 'Set mqtt.port to a free port.', error);
}
