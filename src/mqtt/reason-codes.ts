import { Outcome } from '../core/outcome.js';
import type { SessionEnd } from '../device/sessions.js';

/**
 * Every reason code the node sends, and the one place where outcomes, ends of sessions and refusals
 * become codes. The code speaks 5.0 throughout; 3.x answers are derived here.
 */
export const ReasonCode = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noSubscriptionExisted: 0x11,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  subscriptionIdentifiersNotSupported: 0xa1,
} as const;
export type ReasonCode = (typeof ReasonCode)[keyof typeof ReasonCode];

/** The failure code of a SUBACK in 3.1.1; 3.1 has none, but its clients know it too. */
export const subackFailure = 0x80;

/**
 * The CONNACK return code of 3.x for a 5.0 reason code, or undefined when 3.x has no word for it
 * and the connection is closed without a CONNACK.
 */
export function connectReturnCode(reasonCode: number): number | undefined {
  switch (reasonCode) {
    case ReasonCode.success:
      return 0;
    case ReasonCode.unsupportedProtocolVersion:
      return 1;
    case ReasonCode.clientIdentifierNotValid:
      return 2;
    case ReasonCode.serverUnavailable:
    case ReasonCode.quotaExceeded:
    case ReasonCode.connectionRateExceeded:
      return 3;
    case ReasonCode.badUserNameOrPassword:
      return 4;
    case ReasonCode.notAuthorized:
      return 5;
    default:
      return undefined;
  }
}

/**
 * What a device is told about a QoS 1 or 2 message.
 *
 *     ack       PUBACK or PUBREC; `reasonCode` is sent to 5.0 clients, 3.x sees a plain one
 *     close     no acknowledgement: the connection ends and the device sends the message again
 *     shutdown  as `close`, and a 5.0 client is told that the node is stopping
 */
export type Answer =
  | { readonly kind: 'ack'; readonly reasonCode: ReasonCode }
  | { readonly kind: 'close'; readonly reason: 'badPayload' | 'notStored' }
  | { readonly kind: 'shutdown' };

const ack = (reasonCode: ReasonCode): Answer => Object.freeze({ kind: 'ack', reasonCode });
const accepted = ack(ReasonCode.success);
const payloadInvalid = ack(ReasonCode.payloadFormatInvalid);
const topicInvalid = ack(ReasonCode.topicNameInvalid);
const notAuthorized = ack(ReasonCode.notAuthorized);
const quotaExceeded = ack(ReasonCode.quotaExceeded);
const implementationSpecific = ack(ReasonCode.implementationSpecificError);
const closeBadPayload: Answer = Object.freeze({ kind: 'close', reason: 'badPayload' });
const closeNotStored: Answer = Object.freeze({ kind: 'close', reason: 'notStored' });
const shutdown: Answer = Object.freeze({ kind: 'shutdown' });

/**
 * Maps an outcome to the answer. Outcomes of 64 and above mean that nothing was stored: 5.0 is told
 * so in the acknowledgement, 3.x has no negative one and is closed without any.
 */
export function answerOf(version: number, outcome: number, badPayload: 'ack' | 'close'): Answer {
  if (outcome === Outcome.accepted) return accepted;
  if (outcome === Outcome.shuttingDown) return shutdown;
  if (outcome >= Outcome.journalUnavailable) {
    if (version < 5) return closeNotStored;
    return outcome === Outcome.overload ? quotaExceeded : implementationSpecific;
  }
  if (outcome === Outcome.topicUnknown) return topicInvalid;
  if (outcome === Outcome.notAGateway) return notAuthorized;
  return version < 5 && badPayload === 'close' ? closeBadPayload : payloadInvalid;
}

/** The DISCONNECT reason code for a session that the node ends. */
export function sessionEndCode(end: SessionEnd): ReasonCode {
  switch (end) {
    case 'takenOver':
      return ReasonCode.sessionTakenOver;
    case 'tooManySessions':
      return ReasonCode.quotaExceeded;
    case 'credentialsChanged':
    case 'deviceDisabled':
    case 'deviceDeleted':
      return ReasonCode.administrativeAction;
  }
}

/** Why a connection ended: the label of `sluice_connections_closed_total`. */
export type CloseReason =
  | SessionEnd
  | 'badPayload'
  | 'connectDeadline'
  | 'disconnected'
  | 'internalError'
  | 'keepAlive'
  | 'malformed'
  | 'notStored'
  | 'oversize'
  | 'packetStalled'
  | 'peer'
  | 'protocolError'
  | 'quota'
  | 'refused'
  | 'shutdown'
  | 'writeStalled';
