import type { Clock } from '../core/clock.js';
import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import type { MessageRates } from '../device/message-rate.js';
import type { Sessions } from '../device/sessions.js';
import type { Batcher } from '../ingest/batcher.js';
import { AckList, Scratch } from './acks.js';
import { ByteBudget } from './byte-budget.js';
import type { Connection, ConnectionHub } from './connection.js';
import { PauseReason } from './connection-state.js';
import { Decoder } from './decode.js';
import { Lookups, type TokenSource } from './lookups.js';
import { MessageCounts } from './message-counts.js';
import type { MqttOptions } from './options.js';
import { RateWaiters } from './rate-waiters.js';
import type { CloseReason } from './reason-codes.js';
import { Run } from './run.js';

/** What the protocol needs of the batcher. */
export type MessageSink = Pick<Batcher, 'open' | 'submit' | 'whenRoom' | 'onSettled'>;

/** More than a chunk can hold. */
const unlimited = 0x3fffffff;

const pauseNames: ReadonlyMap<PauseReason, string> = new Map(
  Object.entries(PauseReason).map(([name, reason]) => [reason, name]),
);

/** What all connections of one listener share. */
export class Hub implements ConnectionHub {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly options: MqttOptions;
  readonly batcher: MessageSink;
  readonly credentials: TokenSource;
  readonly sessions: Sessions;
  readonly rates: MessageRates;
  readonly acks: AckList;
  readonly scratch: Scratch;
  readonly decoder: Decoder;
  readonly lookups: Lookups;
  readonly rateWaiters: RateWaiters;
  readonly run: Run;
  readonly counts: MessageCounts;
  /** Buffers of incomplete packets, at their declared size. */
  readonly carryBudget: ByteBudget;
  /** Bytes read and not processed. */
  readonly heldBudget: ByteBudget;
  now: number;
  #flushPending: boolean;
  /** Set by the listener: what happens when reading may go on, and when a session ends. */
  onResumed: (connection: Connection) => void;
  onEnded: (connection: Connection, reason: CloseReason) => void;
  onRemoved: (connection: Connection) => void;
  onMemoryExceeded: () => void;
  /** Connections that wait for room to assemble a cut packet. */
  carryWaiters: Connection[];

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
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    this.options = options;
    this.batcher = batcher;
    this.credentials = credentials;
    this.sessions = sessions;
    this.rates = rates;
    this.acks = new AckList();
    this.scratch = new Scratch();
    this.decoder = new Decoder();
    this.lookups = new Lookups(credentials, options.connectionsMax);
    this.rateWaiters = new RateWaiters(clock);
    this.run = new Run();
    this.counts = new MessageCounts(metrics);
    this.carryBudget = new ByteBudget(limits.mqttCarryBytesMax);
    this.heldBudget = new ByteBudget(limits.mqttHeldBytesMax);
    this.now = Math.floor(clock.monotonic());
    this.#flushPending = false;
    this.onResumed = () => {};
    this.onEnded = () => {};
    this.onRemoved = () => {};
    this.onMemoryExceeded = () => {};
    this.carryWaiters = [];
  }

  /** Messages that the device may send now under its rate; a large number without a limit. */
  messagesAllowed(connection: Connection): number {
    const rate = connection.rate;
    return rate === undefined ? unlimited : rate.available(this.clock.monotonic());
  }

  /** `taken` messages of the connection are in the batch, `acknowledged` of them QoS 1 or 2. */
  messagesTaken(connection: Connection, taken: number, acknowledged: number): void {
    connection.unsettled += acknowledged;
    connection.since = this.now;
    connection.rate?.spend(taken);
  }

  /** Stops reading until a batch has room. */
  waitForRoom(connection: Connection): void {
    connection.pause(PauseReason.room);
    this.batcher.whenRoom(() => connection.unpause(PauseReason.room));
  }

  /** Stops reading until the device's rate allows another message. */
  waitForRate(connection: Connection): void {
    this.metrics.rateLimited.inc({ limit: 'deviceMessagesPerSecond' });
    connection.pause(PauseReason.rate);
    this.rateWaiters.add(connection);
  }

  /** Stops reading until there is room to assemble a cut packet; the sweep wakes. */
  waitForCarry(connection: Connection): void {
    connection.pause(PauseReason.carry);
    this.carryWaiters.push(connection);
  }

  flushSoon(): void {
    if (this.#flushPending) return;
    this.#flushPending = true;
    setImmediate(() => {
      this.#flushPending = false;
      this.acks.flushAll();
    });
  }

  paused(reason: PauseReason): void {
    this.metrics.readsPaused.inc({ reason: pauseNames.get(reason) ?? 'other' });
  }

  resumed(connection: Connection): void {
    this.onResumed(connection);
  }

  recheck(connection: Connection): void {
    const asked = this.lookups.ask(connection.token, (found) => {
      // Also when the registry does not answer: a credential that ended must not live on.
      if (found?.id !== connection.device?.id) connection.end('credentialsChanged');
    });
    if (!asked) connection.end('credentialsChanged');
  }

  ended(connection: Connection, reason: CloseReason): void {
    this.onEnded(connection, reason);
  }

  removed(connection: Connection): void {
    this.onRemoved(connection);
  }
}
