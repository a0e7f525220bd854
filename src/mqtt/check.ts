import { limits } from '../core/limits.js';
import { checkProperties, PropertyPlace } from './check-properties.js';
import { Cursor } from './cursor.js';
import { PacketType } from './packet-type.js';
import { ReasonCode } from './reason-codes.js';

/**
 * The strict half of reading a packet: is it what the specification allows a client to send?
 *
 * `mqtt-packet` turns bytes into values and forgives much on the way (invalid UTF-8, property
 * lengths that lie, duplicate properties). So every complete packet of the rare path passes here
 * first, and only well-formed bytes reach the library. Answers 0 or a 5.0 reason code.
 */

/**
 * Checks a complete packet `bytes[0, length)` of a connected client, fixed header included.
 * `headerBytes` is where the variable header starts.
 */
export function checkPacket(bytes: Buffer, headerBytes: number, version: number): ReasonCode | 0 {
  if (version === 5 && isWide(bytes, headerBytes)) return ReasonCode.malformedPacket;
  const first = bytes[0] ?? 0;
  const type = first >> 4;
  const flags = first & 0x0f;
  const cursor = new Cursor(bytes, headerBytes, bytes.length);
  switch (type) {
    case PacketType.publish:
      return checkPublish(cursor, flags, version);
    case PacketType.puback:
    case PacketType.pubrec:
    case PacketType.pubcomp:
      return flags === 0 ? checkAcknowledgement(cursor, version) : ReasonCode.malformedPacket;
    case PacketType.pubrel:
      return flags === 2 ? checkAcknowledgement(cursor, version) : ReasonCode.malformedPacket;
    case PacketType.subscribe:
      return flags === 2 ? checkSubscribe(cursor, version) : ReasonCode.malformedPacket;
    case PacketType.unsubscribe:
      return flags === 2 ? checkUnsubscribe(cursor, version) : ReasonCode.malformedPacket;
    case PacketType.pingreq:
      return flags === 0 && cursor.done ? 0 : ReasonCode.malformedPacket;
    case PacketType.disconnect:
      return flags === 0 ? checkDisconnect(cursor, version) : ReasonCode.malformedPacket;
    case PacketType.auth:
      return flags === 0 ? checkAuth(cursor, version) : ReasonCode.malformedPacket;
    case PacketType.connect:
      // A second CONNECT [MQTT-3.1.0-2].
      return ReasonCode.protocolError;
    case 0:
      return ReasonCode.malformedPacket;
    default:
      // CONNACK, SUBACK, UNSUBACK and PINGRESP are the server's.
      return ReasonCode.protocolError;
  }
}

/**
 * True when the remaining length has more bytes than it needs, which 5.0 forbids [MQTT-1.5.5-1];
 * 3.x does not, and there are clients that reserve its bytes before they know the length.
 */
export function isWide(bytes: Uint8Array, headerBytes: number): boolean {
  return headerBytes > 2 && bytes[headerBytes - 1] === 0;
}

function checkPublish(cursor: Cursor, flags: number, version: number): ReasonCode | 0 {
  const qos = (flags >> 1) & 3;
  // [MQTT-3.3.1-4], [MQTT-3.3.1-2]
  if (qos === 3 || (qos === 0 && (flags & 8) !== 0)) return ReasonCode.malformedPacket;
  cursor.topicName(version === 5);
  if (qos > 0 && cursor.uint16() === 0) return ReasonCode.malformedPacket;
  if (cursor.failed) return ReasonCode.malformedPacket;
  return version === 5 ? checkProperties(cursor, PropertyPlace.publish) : 0;
}

function checkAcknowledgement(cursor: Cursor, version: number): ReasonCode | 0 {
  if (cursor.uint16() === 0) return ReasonCode.malformedPacket;
  if (version === 5 && !cursor.done) {
    cursor.byte();
    if (!cursor.done) {
      const problem = checkProperties(cursor, PropertyPlace.acknowledgement);
      if (problem !== 0) return problem;
    }
  }
  return cursor.done && !cursor.failed ? 0 : ReasonCode.malformedPacket;
}

function checkSubscribe(cursor: Cursor, version: number): ReasonCode | 0 {
  if (cursor.uint16() === 0) return ReasonCode.malformedPacket;
  if (version === 5) {
    const problem = checkProperties(cursor, PropertyPlace.subscribe);
    if (problem !== 0) return problem;
  }
  // At least one topic filter [MQTT-3.8.3-2].
  if (cursor.done) return ReasonCode.protocolError;
  for (let count = 0; !cursor.done; count++) {
    if (count === limits.filtersPerPacketMax) return ReasonCode.quotaExceeded;
    const { from, to } = cursor.string();
    const options = cursor.byte();
    if (cursor.failed || from === to) return ReasonCode.malformedPacket;
    const problem = checkSubscriptionOptions(options, version);
    if (problem !== 0) return problem;
  }
  return 0;
}

/** 3.1.1 §3.8.3: QoS only. 5.0 §3.8.3.1: QoS, No Local, Retain As Published, Retain Handling. */
function checkSubscriptionOptions(options: number, version: number): ReasonCode | 0 {
  if ((options & 3) === 3) return ReasonCode.malformedPacket;
  if (version < 5) return (options & 0xfc) === 0 ? 0 : ReasonCode.malformedPacket;
  if ((options & 0xc0) !== 0) return ReasonCode.malformedPacket;
  return (options & 0x30) === 0x30 ? ReasonCode.protocolError : 0;
}

function checkUnsubscribe(cursor: Cursor, version: number): ReasonCode | 0 {
  if (cursor.uint16() === 0) return ReasonCode.malformedPacket;
  if (version === 5) {
    const problem = checkProperties(cursor, PropertyPlace.unsubscribe);
    if (problem !== 0) return problem;
  }
  // At least one topic filter [MQTT-3.10.3-2].
  if (cursor.done) return ReasonCode.protocolError;
  for (let count = 0; !cursor.done; count++) {
    if (count === limits.filtersPerPacketMax) return ReasonCode.quotaExceeded;
    const { from, to } = cursor.string();
    if (cursor.failed || from === to) return ReasonCode.malformedPacket;
  }
  return 0;
}

function checkDisconnect(cursor: Cursor, version: number): ReasonCode | 0 {
  if (version === 5 && !cursor.done) {
    cursor.byte();
    if (!cursor.done) {
      const problem = checkProperties(cursor, PropertyPlace.disconnect);
      if (problem !== 0) return problem;
    }
  }
  return cursor.done && !cursor.failed ? 0 : ReasonCode.malformedPacket;
}

function checkAuth(cursor: Cursor, version: number): ReasonCode | 0 {
  if (version < 5) return ReasonCode.malformedPacket;
  if (cursor.done) return 0;
  cursor.byte();
  const problem = cursor.done ? 0 : checkProperties(cursor, PropertyPlace.auth);
  if (problem !== 0) return problem;
  return cursor.done && !cursor.failed ? 0 : ReasonCode.malformedPacket;
}
