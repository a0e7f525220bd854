import type { Connection } from './connection.js';
import { encodeSuback, encodeUnsuback } from './encode.js';
import type { Hub } from './hub.js';
import { ReasonCode, subackFailure } from './reason-codes.js';
import { Subscriptions } from './subscriptions.js';
import { matchDownlinks } from './topics.js';

/** SUBSCRIBE: a real topic filter is granted when it can match a downlink topic of the device. */
export function handleSubscribe(hub: Hub, connection: Connection, packet: Buffer): void {
  const request = hub.decoder.subscribe(connection.version, packet);
  if (request === undefined) {
    connection.disconnect(ReasonCode.malformedPacket, 'malformed');
    return;
  }
  if (request.subscriptionIdentifier) {
    // CONNACK said that they are not available (5.0 §3.2.2.3.12).
    connection.disconnect(ReasonCode.subscriptionIdentifiersNotSupported, 'protocolError');
    return;
  }
  const codes: number[] = [];
  for (const { filter, qos } of request.filters) {
    const code = subscribeTo(connection, filter, qos);
    codes.push(code >= subackFailure && connection.version < 5 ? subackFailure : code);
  }
  const { packetIdentifier } = request;
  connection.send(encodeSuback(connection.version, packetIdentifier, codes));
}

/** The code of one filter in 5.0's words: the granted QoS, or why not. */
function subscribeTo(connection: Connection, filter: string, qos: 0 | 1 | 2): number {
  if (filter.startsWith('$share/')) return ReasonCode.sharedSubscriptionsNotSupported;
  const matches = matchDownlinks(filter, connection.device?.gateway === true);
  if (matches === 0) return ReasonCode.topicFilterInvalid;
  const session = connection.sessionState();
  session.subscriptions ??= new Subscriptions();
  const granted = qos === 0 ? 0 : 1;
  const kept = session.subscriptions.put({ filter, qos: granted, matches });
  return kept ? granted : ReasonCode.quotaExceeded;
}

export function handleUnsubscribe(hub: Hub, connection: Connection, packet: Buffer): void {
  const request = hub.decoder.unsubscribe(connection.version, packet);
  if (request === undefined) {
    connection.disconnect(ReasonCode.malformedPacket, 'malformed');
    return;
  }
  const subscriptions = connection.session?.subscriptions;
  const codes = request.filters.map((filter) =>
    subscriptions?.remove(filter) === true ? ReasonCode.success : ReasonCode.noSubscriptionExisted,
  );
  const { packetIdentifier } = request;
  connection.send(encodeUnsuback(connection.version, packetIdentifier, codes));
}
