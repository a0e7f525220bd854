import { PacketType } from './packet-type.js';
import { ReasonCode } from './reason-codes.js';

/**
 * Packets that the node sends, as bytes. What they mean is decided by the callers; nothing here
 * looks at a connection. Every returned buffer is the caller's own, except the frozen constants.
 */
export const pingresp: Buffer = Buffer.from([PacketType.pingresp << 4, 0]);

const property = {
  sessionExpiryInterval: 0x11,
  assignedClientIdentifier: 0x12,
  serverKeepAlive: 0x13,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  retainAvailable: 0x25,
  maximumPacketSize: 0x27,
  wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifierAvailable: 0x29,
  sharedSubscriptionAvailable: 0x2a,
} as const;

/** What a 5.0 CONNACK of success announces; undefined leaves the property out. */
export interface ConnackProperties {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly serverKeepAliveSeconds: number | undefined;
  readonly assignedClientIdentifier: string | undefined;
}

/** CONNACK of 3.x; Session Present is always 0. */
export function encodeConnack3(returnCode: number): Buffer {
  return Buffer.from([PacketType.connack << 4, 2, 0, returnCode]);
}

/** CONNACK of 5.0 for an accepted connection. */
export function encodeConnackAccepted(announced: ConnackProperties): Buffer {
  const properties: number[] = [];
  pushUint32(properties, property.sessionExpiryInterval, 0);
  pushUint16(properties, property.receiveMaximum, announced.receiveMaximum);
  properties.push(property.retainAvailable, 0);
  pushUint32(properties, property.maximumPacketSize, announced.maximumPacketSize);
  if (announced.assignedClientIdentifier !== undefined) {
    properties.push(property.assignedClientIdentifier);
    pushString(properties, announced.assignedClientIdentifier);
  }
  pushUint16(properties, property.topicAliasMaximum, announced.topicAliasMaximum);
  properties.push(property.wildcardSubscriptionAvailable, 1);
  properties.push(property.subscriptionIdentifierAvailable, 0);
  properties.push(property.sharedSubscriptionAvailable, 0);
  if (announced.serverKeepAliveSeconds !== undefined) {
    pushUint16(properties, property.serverKeepAlive, announced.serverKeepAliveSeconds);
  }
  const body = [0, ReasonCode.success];
  pushVariableInteger(body, properties.length);
  return packet(PacketType.connack << 4, Buffer.from([...body, ...properties]));
}

/** CONNACK of 5.0 for a refused connection. */
export function encodeConnackRefused(reasonCode: number, reasonString: string): Buffer {
  const body = [0, reasonCode];
  pushReasonString(body, reasonString);
  return packet(PacketType.connack << 4, Buffer.from(body));
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP of success, as the four bytes of `AckList.add`. */
export function acknowledgementWord(type: PacketType, packetIdentifier: number): number {
  // PUBREL has the reserved flags 0010 [MQTT-3.6.1-1].
  const first = (type << 4) | (type === PacketType.pubrel ? 2 : 0);
  return (first << 24) | (2 << 16) | packetIdentifier;
}

/** The same packets of 5.0 with a reason code; an empty Reason String leaves the property out. */
export function encodeAcknowledgement(
  type: PacketType,
  packetIdentifier: number,
  reasonCode: number,
  reasonString: string,
): Buffer {
  const first = (type << 4) | (type === PacketType.pubrel ? 2 : 0);
  const body = [packetIdentifier >> 8, packetIdentifier & 0xff, reasonCode];
  if (reasonString !== '') pushReasonString(body, reasonString);
  return packet(first, Buffer.from(body));
}

/** SUBACK, one code per topic filter, in their order [MQTT-3.8.4-6]. */
export function encodeSuback(
  version: number,
  packetIdentifier: number,
  codes: readonly number[],
): Buffer {
  const head = [packetIdentifier >> 8, packetIdentifier & 0xff];
  if (version === 5) head.push(0);
  return packet(PacketType.suback << 4, Buffer.from([...head, ...codes]));
}

/** UNSUBACK; 3.x carries no codes. */
export function encodeUnsuback(
  version: number,
  packetIdentifier: number,
  codes: readonly number[],
): Buffer {
  const head = [packetIdentifier >> 8, packetIdentifier & 0xff];
  const rest = version === 5 ? [0, ...codes] : [];
  return packet(PacketType.unsuback << 4, Buffer.from([...head, ...rest]));
}

/** DISCONNECT of 5.0; 3.x servers have none. */
export function encodeDisconnect(reasonCode: number, reasonString: string): Buffer {
  const body = [reasonCode];
  if (reasonString !== '') pushReasonString(body, reasonString);
  return packet(PacketType.disconnect << 4, Buffer.from(body));
}

/** PUBLISH to a client: RETAIN and DUP are never set. `packetIdentifier` is unused at QoS 0. */
export function encodePublish(
  version: number,
  topic: string,
  payload: Uint8Array,
  qos: 0 | 1,
  packetIdentifier: number,
): Buffer {
  const head: number[] = [];
  pushString(head, topic);
  if (qos > 0) head.push(packetIdentifier >> 8, packetIdentifier & 0xff);
  if (version === 5) head.push(0);
  return packet((PacketType.publish << 4) | (qos << 1), Buffer.from(head), payload);
}

/** The fixed header, then the parts. */
function packet(first: number, body: Buffer, payload: Uint8Array = noBytes): Buffer {
  const header = [first];
  pushVariableInteger(header, body.length + payload.length);
  return Buffer.concat([Buffer.from(header), body, payload]);
}

const noBytes = new Uint8Array(0);

function pushVariableInteger(into: number[], value: number): void {
  let rest = value;
  while (rest > 0x7f) {
    into.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  into.push(rest);
}

function pushUint16(into: number[], identifier: number, value: number): void {
  into.push(identifier, value >> 8, value & 0xff);
}

function pushUint32(into: number[], identifier: number, value: number): void {
  into.push(identifier, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

function pushString(into: number[], text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  into.push(bytes.length >> 8, bytes.length & 0xff);
  for (const byte of bytes) into.push(byte);
}

/** Properties that hold only a Reason String. */
function pushReasonString(into: number[], reasonString: string): void {
  if (reasonString === '') {
    into.push(0);
    return;
  }
  const properties: number[] = [property.reasonString];
  pushString(properties, reasonString);
  pushVariableInteger(into, properties.length);
  into.push(...properties);
}
