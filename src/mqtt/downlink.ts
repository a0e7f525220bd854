import { limits } from '../core/limits.js';
import type { Connection } from './connection.js';
import { ConnectionState } from './connection-state.js';
import { encodePublish } from './encode.js';
import { type Acknowledged, SentIdentifiers } from './inflight.js';

/** What became of a message for a device. `busy` may be tried again later. */
export type Delivery = 'sent' | 'busy' | 'tooLarge' | 'closed';

/**
 * Sends a message to the client. At QoS 1 the packet identifier is tracked until the PUBACK, and
 * `acknowledged` hears of it once, also when the connection ends first. Nothing is sent twice
 * within a connection. Bounded: a client that does not read or acknowledge makes this answer
 * `busy`.
 */
export function publishTo(
  connection: Connection,
  topic: string,
  payload: Uint8Array,
  qos: 0 | 1,
  acknowledged: Acknowledged | undefined,
): Delivery {
  if (connection.state !== ConnectionState.connected) return 'closed';
  if (connection.wire.writableLength > limits.writeBufferBytesMax) return 'busy';
  if (qos === 0) return send(connection, encodePublish(connection.version, topic, payload, 0, 0));
  const session = connection.sessionState();
  session.sent ??= new SentIdentifiers();
  // [MQTT-3.3.4-9]: never more than the client's Receive Maximum.
  const inFlightMax = Math.min(session.receiveMaximum, limits.downlinkInFlightMax);
  if (session.sent.count >= inFlightMax) return 'busy';
  const identifier = session.sent.take(acknowledged);
  const packet = encodePublish(connection.version, topic, payload, 1, identifier);
  const delivery = send(connection, packet);
  if (delivery !== 'sent') session.sent.forget(identifier);
  return delivery;
}

function send(connection: Connection, packet: Buffer): Delivery {
  // [MQTT-3.1.2-25]: it is dropped as if it had been delivered; the caller decides what that means.
  if (!connection.fits(packet)) return 'tooLarge';
  connection.send(packet);
  connection.hub.flushSoon();
  return 'sent';
}
