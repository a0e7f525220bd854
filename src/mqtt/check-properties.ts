import { limits } from '../core/limits.js';
import type { Cursor } from './cursor.js';
import { ReasonCode } from './reason-codes.js';

/** Where properties stand in a packet that a client sends; bits of the table below. */
export const PropertyPlace = {
  connect: 1,
  will: 2,
  publish: 4,
  acknowledgement: 8,
  subscribe: 16,
  unsubscribe: 32,
  disconnect: 64,
  auth: 128,
} as const;
export type PropertyPlace = (typeof PropertyPlace)[keyof typeof PropertyPlace];

type ValueForm = 'flag' | 'uint16' | 'uint32' | 'varint' | 'string' | 'topic' | 'binary' | 'pair';

interface PropertyRule {
  readonly form: ValueForm;
  /** Bits of `PropertyPlace`. */
  readonly places: number;
  /** True when the value 0 is a protocol error. */
  readonly zeroForbidden: boolean;
}

const at = PropertyPlace;
const rule = (form: ValueForm, places: number, zeroForbidden = false): PropertyRule =>
  Object.freeze({ form, places, zeroForbidden });
const everywhere = 255;
const userProperty = 0x26;

/** 5.0 table 2-4, the rows that a client may send. */
const rules: ReadonlyMap<number, PropertyRule> = new Map([
  [0x01, rule('flag', at.publish | at.will)],
  [0x02, rule('uint32', at.publish | at.will)],
  [0x03, rule('string', at.publish | at.will)],
  [0x08, rule('topic', at.publish | at.will)],
  [0x09, rule('binary', at.publish | at.will)],
  // In a PUBLISH only the server sends it [MQTT-3.3.4-6]: not a malformed packet, but an error.
  [0x0b, rule('varint', at.publish | at.subscribe, true)],
  [0x11, rule('uint32', at.connect | at.disconnect)],
  [0x15, rule('string', at.connect | at.auth)],
  [0x16, rule('binary', at.connect | at.auth)],
  [0x17, rule('flag', at.connect)],
  [0x18, rule('uint32', at.will)],
  [0x19, rule('flag', at.connect)],
  [0x1f, rule('string', at.acknowledgement | at.disconnect | at.auth)],
  [0x21, rule('uint16', at.connect, true)],
  [0x22, rule('uint16', at.connect)],
  [0x23, rule('uint16', at.publish)],
  [userProperty, rule('pair', everywhere)],
  [0x27, rule('uint32', at.connect, true)],
]);

/**
 * Reads the properties at the cursor. Returns 0 or the reason code of what is wrong: a property
 * that is unknown or misplaced, or a value that is not of its type, makes the packet malformed; one
 * that comes twice or has a forbidden value is a protocol error (5.0 §2.2.2.2).
 */
export function checkProperties(cursor: Cursor, place: PropertyPlace): ReasonCode | 0 {
  const length = cursor.variableInteger();
  const end = cursor.at + length;
  if (cursor.failed || end > cursor.end) return ReasonCode.malformedPacket;
  let seenLow = 0;
  let seenHigh = 0;
  let userProperties = 0;
  while (cursor.at < end) {
    // Written in one byte: no property in the table is above 127, so longer forms are malformed.
    const identifier = cursor.byte();
    const found = rules.get(identifier);
    if (found === undefined || (found.places & place) === 0) return ReasonCode.malformedPacket;
    if (identifier === userProperty) {
      userProperties += 1;
      if (userProperties > limits.userPropertiesMax) return ReasonCode.quotaExceeded;
    } else {
      const bit = 1 << (identifier & 31);
      if (((identifier < 32 ? seenLow : seenHigh) & bit) !== 0) return ReasonCode.protocolError;
      if (identifier < 32) seenLow |= bit;
      else seenHigh |= bit;
    }
    const problem = checkValue(cursor, found);
    if (problem !== 0) return problem;
  }
  return cursor.at === end ? 0 : ReasonCode.malformedPacket;
}

function checkValue(cursor: Cursor, found: PropertyRule): ReasonCode | 0 {
  let value = 1;
  switch (found.form) {
    case 'flag':
      value = cursor.byte();
      if (value > 1) return ReasonCode.protocolError;
      break;
    case 'uint16':
      value = cursor.uint16();
      break;
    case 'uint32':
      value = cursor.uint32();
      break;
    case 'varint':
      value = cursor.variableInteger();
      break;
    case 'string':
      cursor.string();
      break;
    case 'topic':
      cursor.topicName(false);
      break;
    case 'binary':
      cursor.binary();
      break;
    case 'pair':
      cursor.string();
      cursor.string();
      break;
  }
  if (cursor.failed) return ReasonCode.malformedPacket;
  return found.zeroForbidden && value === 0 ? ReasonCode.protocolError : 0;
}
