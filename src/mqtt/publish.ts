import { limits } from '../core/limits.js';
import { Outcome, outcomeReason } from '../core/outcome.js';
import { MessageKind, Protocol } from '../normalise/batch-layout.js';
import { type Connection, refQos2 } from './connection.js';
import type { PublishRequest } from './decode.js';
import { acknowledgementWord } from './encode.js';
import type { Hub } from './hub.js';
import { ReceivedIdentifiers, ReceivedState } from './inflight.js';
import { PacketType } from './packet-type.js';
import { ReasonCode } from './reason-codes.js';
import { routePublish } from './topics.js';

/**
 * Publishes of the rare path: QoS 2, other topics, properties, topic aliases, refusals.
 *
 * Returns false when the packet has to wait (no room, over the rate): reading is paused then, and
 * the same bytes come again, so nothing may have happened yet that must not happen twice.
 */
export function handlePublish(hub: Hub, connection: Connection, packet: Buffer): boolean {
  const request = hub.decoder.publish(connection.version, packet);
  if (request === undefined) {
    connection.disconnect(ReasonCode.malformedPacket, 'malformed');
    return true;
  }
  if (connection.version === 5) {
    const problem = problemOfVersion5(hub, connection, request);
    if (problem !== 0) {
      connection.disconnect(problem, 'protocolError');
      return true;
    }
  }
  if (request.qos === 2 && isRepeated(connection, request.packetIdentifier)) return true;
  if (hub.messagesAllowed(connection) === 0) return overRate(hub, connection, request);
  return store(hub, connection, request, topicOf(connection, request));
}

/** 0, or the reason code with which the connection ends. */
function problemOfVersion5(
  hub: Hub,
  connection: Connection,
  request: PublishRequest,
): ReasonCode | 0 {
  // [MQTT-3.3.4-6]
  if (request.subscriptionIdentifier) return ReasonCode.protocolError;
  // CONNACK said Retain Available 0 [MQTT-3.2.2-14].
  if (request.retain) return ReasonCode.retainNotSupported;
  const alias = request.topicAlias;
  if (alias === undefined) {
    if (request.topic === '') return ReasonCode.protocolError;
  } else {
    // [MQTT-3.3.2-8], [MQTT-3.3.2-9]
    if (alias === 0 || alias > limits.topicAliasesMax) return ReasonCode.topicAliasInvalid;
    if (request.topic === '' && connection.session?.aliases?.get(alias) === undefined) {
      return ReasonCode.protocolError;
    }
  }
  return exceedsReceiveMaximum(hub, connection, request) ? ReasonCode.receiveMaximumExceeded : 0;
}

/**
 * [MQTT-3.3.4-7], held against QoS 2 only: its identifiers are what we keep. A QoS 1 message costs
 * no more than its row, and because the acknowledgement waits for the disk a client that takes no
 * notice of Receive Maximum (there are some) would otherwise never get its backlog through.
 */
function exceedsReceiveMaximum(hub: Hub, connection: Connection, request: PublishRequest): boolean {
  if (request.qos < 2) return false;
  const identifiers = connection.session?.received;
  if (identifiers === undefined) return false;
  if (identifiers.get(request.packetIdentifier) !== ReceivedState.none) return false;
  return identifiers.count >= hub.options.receiveMaximum;
}

/** The topic name, by alias if it has none; remembers a new alias (5.0 §3.3.2.3.4). */
function topicOf(connection: Connection, request: PublishRequest): string {
  const alias = request.topicAlias;
  if (alias === undefined || connection.version < 5) return request.topic;
  const session = connection.sessionState();
  if (request.topic === '') return session.aliases?.get(alias) ?? '';
  session.aliases ??= new Map();
  // A longer one is unknown in any case; what is kept of it stays small.
  const kept = Buffer.from(request.topic).toString('utf8', 0, limits.topicBytesMax);
  session.aliases.set(alias, kept);
  return request.topic;
}

function received(connection: Connection, identifier: number): ReceivedState {
  return connection.session?.received?.get(identifier) ?? ReceivedState.none;
}

/**
 * A QoS 2 identifier that is known is the same message again [MQTT-4.3.3-10]: it is not stored
 * twice, and answered once more if it was answered before.
 */
function isRepeated(connection: Connection, identifier: number): boolean {
  const state = received(connection, identifier);
  if (state === ReceivedState.none) return false;
  if (state === ReceivedState.received) {
    connection.hub.acks.add(connection, acknowledgementWord(PacketType.pubrec, identifier));
  }
  return true;
}

/** 5.0 is refused with 0x97; for everything else reading waits until the rate allows it. */
function overRate(hub: Hub, connection: Connection, request: PublishRequest): boolean {
  const deferred = connection.deferred?.length ?? 0;
  if (connection.version < 5 || request.qos === 0 || deferred >= hub.options.receiveMaximum) {
    hub.waitForRate(connection);
    return false;
  }
  topicOf(connection, request);
  hub.metrics.rateLimited.inc({ limit: 'deviceMessagesPerSecond' });
  const type = request.qos === 2 ? PacketType.pubrec : PacketType.puback;
  const identifier = request.packetIdentifier;
  const code = ReasonCode.quotaExceeded;
  const reason = `over ${hub.rates.perSecond} messages per second`;
  connection.sendInOrder(connection.acknowledgement(type, identifier, code, reason));
  return true;
}

/** Puts the message into the batch, refused ones too: they go to the table `rejected`. */
function store(hub: Hub, connection: Connection, request: PublishRequest, topic: string): boolean {
  const device = connection.device;
  if (device === undefined) return true;
  const topicBytes = Buffer.from(topic, 'utf8');
  const topicLength = Math.min(topicBytes.length, limits.topicBytesMax);
  const batch = hub.batcher.open(topicLength + request.payload.length);
  if (batch === undefined) {
    hub.waitForRoom(connection);
    return false;
  }
  const route = routePublish(topic);
  const kind = route.kind === 'message' ? route.messageKind : MessageKind.refused;
  const topicStart = batch.copyIn(topicBytes, 0, topicLength);
  const start = batch.copyIn(request.payload, 0, request.payload.length);
  batch.addRow(
    device,
    kind,
    Protocol.mqtt,
    hub.clock.now(),
    start,
    request.payload.length,
    topicStart,
    topicLength,
    request.qos === 0 ? undefined : connection,
    request.packetIdentifier | (request.qos === 2 ? refQos2 : 0),
  );
  if (route.kind !== 'message') {
    // Gateway topics are for gateways; what they do there comes with the gateway API.
    const notAGateway = route.kind === 'gateway' && !device.gateway;
    batch.refuseLastRow(notAGateway ? Outcome.notAGateway : Outcome.topicUnknown);
    hub.logger.limited('mqtt_topic_refused', {
      device: device.name,
      topic: topic.slice(0, 128),
      reason: outcomeReason(notAGateway ? Outcome.notAGateway : Outcome.topicUnknown, -1),
    });
  }
  if (request.qos === 2) {
    const session = connection.sessionState();
    session.received ??= new ReceivedIdentifiers();
    session.received.set(request.packetIdentifier, ReceivedState.pending);
  }
  hub.counts.add(request.qos, kind);
  hub.messagesTaken(connection, 1, request.qos === 0 ? 0 : 1);
  return true;
}
