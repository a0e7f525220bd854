import { checkPacket } from './check.js';
import { handleConnect } from './connect.js';
import type { Connection } from './connection.js';
import { ConnectionState } from './connection-state.js';
import { acknowledgementWord, pingresp } from './encode.js';
import type { Hub } from './hub.js';
import { ReceivedState } from './inflight.js';
import { PacketType } from './packet-type.js';
import { handlePublish } from './publish.js';
import { type CloseReason, ReasonCode } from './reason-codes.js';
import { handleSubscribe, handleUnsubscribe } from './subscribe.js';

/**
 * The state machine of a connection: which packet is allowed when, and who handles it.
 *
 *     state             CONNECT          PUBLISH, SUBSCRIBE, PINGREQ, …     AUTH
 *     awaitingConnect   handleConnect    ── closed at the first byte by receiver.ts ──
 *     authenticating    ── nothing is processed; the bytes wait ──
 *     connected         0x82, close      handled                           0x8C, close
 *     closing           ── nothing is processed; the bytes are dropped ──
 *
 * `packet` is complete, fixed header included; `headerBytes` is where the variable header starts.
 * Returns false when the packet has to wait: reading is paused and the same bytes come again.
 */
export function handlePacket(
  hub: Hub,
  connection: Connection,
  packet: Buffer,
  headerBytes: number,
): boolean {
  const type = (packet[0] ?? 0) >> 4;
  if (connection.state === ConnectionState.awaitingConnect) {
    handleConnect(hub, connection, packet, headerBytes);
    return true;
  }
  const problem = checkPacket(packet, headerBytes, connection.version);
  if (problem !== 0) {
    connection.disconnect(problem, closeReasonOf(problem));
    return true;
  }
  connection.since = hub.now;
  switch (type) {
    case PacketType.publish:
      return handlePublish(hub, connection, packet);
    case PacketType.pubrel:
      handlePubrel(hub, connection, packet, headerBytes);
      return true;
    case PacketType.puback:
    case PacketType.pubrec:
    case PacketType.pubcomp:
      handleAnswer(hub, connection, packet, headerBytes, type);
      return true;
    case PacketType.subscribe:
      handleSubscribe(hub, connection, packet);
      return true;
    case PacketType.unsubscribe:
      handleUnsubscribe(hub, connection, packet);
      return true;
    case PacketType.pingreq:
      connection.send(pingresp);
      return true;
    case PacketType.disconnect:
      handleDisconnect(hub, connection, packet);
      return true;
    default:
      // AUTH: no CONNECT with an authentication method was ever accepted.
      connection.disconnect(ReasonCode.badAuthenticationMethod, 'protocolError');
      return true;
  }
}

function closeReasonOf(problem: number): CloseReason {
  if (problem === ReasonCode.malformedPacket) return 'malformed';
  return problem === ReasonCode.quotaExceeded ? 'quota' : 'protocolError';
}

/** The packet identifier and reason code of PUBACK, PUBREC, PUBREL or PUBCOMP. */
function acknowledged(
  hub: Hub,
  connection: Connection,
  packet: Buffer,
  headerBytes: number,
): { readonly packetIdentifier: number; readonly reasonCode: number } | undefined {
  // The form of four bytes is all that most clients send; it needs no library.
  if (packet.length === headerBytes + 2) {
    return { packetIdentifier: packet.readUInt16BE(headerBytes), reasonCode: 0 };
  }
  const request = hub.decoder.acknowledgement(connection.version, packet);
  if (request === undefined) connection.disconnect(ReasonCode.malformedPacket, 'malformed');
  return request;
}

/** The third step of QoS 2: the message is stored, so the identifier is free again. */
function handlePubrel(hub: Hub, connection: Connection, packet: Buffer, headerBytes: number): void {
  const request = acknowledged(hub, connection, packet, headerBytes);
  if (request === undefined) return;
  const { packetIdentifier } = request;
  const received = connection.session?.received;
  const state = received?.get(packetIdentifier) ?? ReceivedState.none;
  if (state === ReceivedState.pending) {
    // No PUBREC was sent for it yet (5.0 §4.3.3).
    connection.disconnect(ReasonCode.protocolError, 'protocolError');
    return;
  }
  received?.set(packetIdentifier, ReceivedState.none);
  if (state === ReceivedState.none && connection.version === 5) {
    const code = ReasonCode.packetIdentifierNotFound;
    connection.sendAcknowledgement(PacketType.pubcomp, packetIdentifier, code, '');
    return;
  }
  hub.acks.add(connection, acknowledgementWord(PacketType.pubcomp, packetIdentifier));
}

/** What a client answers to the node's own publishes, which are QoS 1 at most. */
function handleAnswer(
  hub: Hub,
  connection: Connection,
  packet: Buffer,
  headerBytes: number,
  type: PacketType,
): void {
  const request = acknowledged(hub, connection, packet, headerBytes);
  if (request === undefined) return;
  const { packetIdentifier, reasonCode } = request;
  if (type === PacketType.puback) {
    connection.session?.sent?.release(packetIdentifier, reasonCode);
  } else if (type === PacketType.pubrec && reasonCode < ReasonCode.unspecifiedError) {
    // Nothing was sent at QoS 2; the answer lets the client forget the identifier.
    if (connection.version === 5) {
      const code = ReasonCode.packetIdentifierNotFound;
      connection.sendAcknowledgement(PacketType.pubrel, packetIdentifier, code, '');
    } else {
      hub.acks.add(connection, acknowledgementWord(PacketType.pubrel, packetIdentifier));
    }
  }
}

function handleDisconnect(hub: Hub, connection: Connection, packet: Buffer): void {
  if (connection.version < 5 || packet.length === 2) {
    withoutWill(connection);
    connection.finish('disconnected');
    return;
  }
  const request = hub.decoder.disconnect(connection.version, packet);
  if (request === undefined) {
    connection.disconnect(ReasonCode.malformedPacket, 'malformed');
    return;
  }
  const asked = connection.session?.sessionExpirySeconds ?? 0;
  if (
    request.sessionExpirySeconds !== undefined &&
    request.sessionExpirySeconds > 0 &&
    asked === 0
  ) {
    // A session that was to end with the connection cannot be prolonged (5.0 §3.14.2.2.2).
    connection.disconnect(ReasonCode.protocolError, 'protocolError');
    return;
  }
  // Only a normal disconnection discards the will [MQTT-3.14.4-3].
  if (request.reasonCode === ReasonCode.success) withoutWill(connection);
  connection.finish('disconnected');
}

function withoutWill(connection: Connection): void {
  if (connection.session !== undefined) connection.session.will = undefined;
}
