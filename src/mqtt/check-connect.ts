import { isWide } from './check.js';
import { checkProperties, PropertyPlace } from './check-properties.js';
import { Cursor } from './cursor.js';
import { PacketType } from './packet-type.js';
import { ReasonCode } from './reason-codes.js';

/** What the check of a CONNECT found. */
export interface ConnectCheck {
  /** 3, 4 or 5, by which a refusal is worded; 0 when the packet does not even say that. */
  readonly version: number;
  /** 0 or the reason code of what is wrong. */
  readonly problem: ReasonCode | 0;
}

/**
 * Checks a complete CONNECT, fixed header included. An unsupported protocol level is reported in
 * the words of the nearest version that we do speak.
 */
export function checkConnect(bytes: Buffer, headerBytes: number): ConnectCheck {
  const cursor = new Cursor(bytes, headerBytes, bytes.length);
  if ((bytes[0] ?? 0) >> 4 !== PacketType.connect) {
    return { version: 0, problem: ReasonCode.malformedPacket };
  }
  const name = cursor.string();
  const level = cursor.byte();
  if (cursor.failed) return { version: 0, problem: ReasonCode.malformedPacket };
  const version = versionOf(bytes.toString('latin1', name.from, name.to), level);
  if (version === undefined) {
    return {
      version: level >= 5 && level < 128 ? 5 : 4,
      problem: ReasonCode.unsupportedProtocolVersion,
    };
  }
  if (version === 0) return { version, problem: ReasonCode.malformedPacket };
  if (version === 5 && isWide(bytes, headerBytes)) {
    return { version, problem: ReasonCode.malformedPacket };
  }
  // The reserved flags of the fixed header [MQTT-2.2.2-2].
  if ((bytes[0] ?? 0) !== 0x10) return { version, problem: ReasonCode.malformedPacket };
  return { version, problem: checkRest(cursor, version) };
}

/** 3 (3.1), 4 (3.1.1) or 5; undefined for another level of MQTT, 0 for something else. */
function versionOf(name: string, level: number): number | undefined {
  if (name === 'MQTT') return level === 4 || level === 5 ? level : undefined;
  if (name === 'MQIsdp') return level === 3 ? level : undefined;
  return 0;
}

function checkRest(cursor: Cursor, version: number): ReasonCode | 0 {
  const flags = cursor.byte();
  cursor.uint16(); // Keep alive: any value.
  if (cursor.failed) return ReasonCode.malformedPacket;
  const problem = checkFlags(flags, version);
  if (problem !== 0) return problem;
  if (version === 5) {
    const properties = checkProperties(cursor, PropertyPlace.connect);
    if (properties !== 0) return properties;
  }
  cursor.string(); // Client identifier.
  if ((flags & 0x04) !== 0) {
    if (version === 5) {
      const properties = checkProperties(cursor, PropertyPlace.will);
      if (properties !== 0) return properties;
    }
    cursor.topicName(false);
    cursor.binary();
  }
  if ((flags & 0x80) !== 0) cursor.string();
  if ((flags & 0x40) !== 0) cursor.binary();
  return cursor.failed || !cursor.done ? ReasonCode.malformedPacket : 0;
}

function checkFlags(flags: number, version: number): ReasonCode | 0 {
  // The reserved bit [MQTT-3.1.2-3].
  if ((flags & 0x01) !== 0) return ReasonCode.malformedPacket;
  const will = (flags & 0x04) !== 0;
  const willQos = (flags >> 3) & 3;
  if (willQos === 3) return ReasonCode.malformedPacket;
  // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  if (!will && (flags & 0x38) !== 0) return ReasonCode.malformedPacket;
  // A password without a user name is allowed since 5.0 only [MQTT-3.1.2-22 of 3.1.1].
  if (version < 5 && (flags & 0xc0) === 0x40) return ReasonCode.malformedPacket;
  return 0;
}
