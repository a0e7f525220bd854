import type { MessageKind } from '../normalise/batch-layout.js';
import type { ReceivedIdentifiers, SentIdentifiers } from './inflight.js';
import type { Subscriptions } from './subscriptions.js';

/** A will whose topic is one of the device's publish topics. */
export interface Will {
  readonly topic: string;
  readonly messageKind: MessageKind;
  /** The connection's own copy. */
  readonly payload: Buffer;
}

/**
 * What only some sessions have, kept apart so that a connection that just publishes stays small.
 * Everything here ends with the connection: no session state outlives it.
 */
export class SessionState {
  /** QoS 1 publishes that the client takes unacknowledged. */
  receiveMaximum: number;
  /** Bytes of the largest packet that the client takes; 0 is no maximum. */
  maximumPacketSize: number;
  /** False when Reason Strings may only be in CONNACK and DISCONNECT. */
  problemInformation: boolean;
  /** The Session Expiry Interval that the client asked for in CONNECT, seconds. */
  sessionExpirySeconds: number;
  will: Will | undefined;
  /** Inbound topic aliases. */
  aliases: Map<number, string> | undefined;
  received: ReceivedIdentifiers | undefined;
  sent: SentIdentifiers | undefined;
  subscriptions: Subscriptions | undefined;

  constructor() {
    this.receiveMaximum = 65_535;
    this.maximumPacketSize = 0;
    this.problemInformation = true;
    this.sessionExpirySeconds = 0;
    this.will = undefined;
    this.aliases = undefined;
    this.received = undefined;
    this.sent = undefined;
    this.subscriptions = undefined;
  }
}
