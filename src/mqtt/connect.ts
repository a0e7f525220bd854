import { randomUUID } from 'node:crypto';
import { limits } from '../core/limits.js';
import type { Device } from '../registry/device.js';
import { checkConnect } from './check-connect.js';
import type { Connection } from './connection.js';
import { ConnectionState, PauseReason } from './connection-state.js';
import { hasControlCharacter } from './cursor.js';
import type { ConnectRequest } from './decode.js';
import { encodeConnack3, encodeConnackAccepted, encodeConnackRefused } from './encode.js';
import type { Hub } from './hub.js';
import { connectReturnCode, ReasonCode } from './reason-codes.js';
import { routePublish } from './topics.js';

/**
 * CONNECT: from the packet to the CONNACK.
 *
 *     check ─► decode ─► limits and identity ─► token known? ──yes──► session ─► CONNACK 0
 *       │         │              │                  └─ ask the registry, reading paused ─┘
 *       └─────────┴──────────────┴──► CONNACK with a code where the version has one, close
 *
 * The access token is the user name; the password is not looked at.
 */
export function handleConnect(hub: Hub, connection: Connection, packet: Buffer, at: number): void {
  const { version, problem } = checkConnect(packet, at);
  connection.version = version;
  if (problem !== 0) {
    refuse(hub, connection, problem, '');
    return;
  }
  const request = hub.decoder.connect(packet);
  if (request === undefined) {
    refuse(hub, connection, ReasonCode.malformedPacket, '');
    return;
  }
  rememberLimits(connection, request);
  const refusal = refusalOf(request);
  if (refusal !== undefined) {
    refuse(hub, connection, refusal.code, refusal.reason);
    return;
  }
  connection.state = ConnectionState.authenticating;
  const token = request.username ?? '';
  const device = hub.credentials.peekToken(token);
  if (device !== undefined) {
    decide(hub, connection, request, device);
    return;
  }
  connection.pause(PauseReason.credentials);
  const kept = keepWill(request);
  const asked = hub.lookups.ask(token, (found) => {
    if (connection.state !== ConnectionState.authenticating) return;
    if (found === undefined) {
      refuse(hub, connection, ReasonCode.serverUnavailable, 'the registry does not answer');
    } else {
      decide(hub, connection, kept, found);
    }
    hub.acks.flushAll();
    connection.unpause(PauseReason.credentials);
  });
  if (!asked) refuse(hub, connection, ReasonCode.serverUnavailable, 'too many connect at once');
}

/** The will's payload is a view of the read buffer: copied when the answer comes later. */
function keepWill(request: ConnectRequest): ConnectRequest {
  const will = request.will;
  if (will === undefined) return request;
  return { ...request, will: { ...will, payload: Buffer.from(will.payload) } };
}

interface Refusal {
  readonly code: ReasonCode;
  readonly reason: string;
}

/** What is wrong with a well-formed CONNECT, before the credentials are looked at. */
function refusalOf(request: ConnectRequest): Refusal | undefined {
  const identifier = request.clientIdentifier;
  // 3.1 requires 1 to 23 characters; 3.1.1 an empty one only with Clean Session [MQTT-3.1.3-8].
  if (request.version === 3 && (identifier.length === 0 || identifier.length > 23)) {
    return { code: ReasonCode.clientIdentifierNotValid, reason: '' };
  }
  if (request.version === 4 && identifier === '' && !request.cleanStart) {
    return { code: ReasonCode.clientIdentifierNotValid, reason: '' };
  }
  if (Buffer.byteLength(identifier) > limits.clientIdentifierBytesMax) {
    const reason = `client identifier over ${limits.clientIdentifierBytesMax} bytes`;
    return { code: ReasonCode.clientIdentifierNotValid, reason };
  }
  if (hasControlCharacter(identifier)) {
    const reason = 'client identifier with a control character';
    return { code: ReasonCode.clientIdentifierNotValid, reason };
  }
  if (request.authenticationMethod) {
    return { code: ReasonCode.badAuthenticationMethod, reason: 'no enhanced authentication' };
  }
  // 5.0 §3.1.2.11.10
  if (request.authenticationData) return { code: ReasonCode.protocolError, reason: '' };
  if (request.version === 5 && request.will?.retain === true) {
    // [MQTT-3.2.2-13]
    return { code: ReasonCode.retainNotSupported, reason: 'no retained messages' };
  }
  if (request.username === undefined || request.username === '') {
    return { code: ReasonCode.notAuthorized, reason: 'the user name is the access token' };
  }
  if (hasControlCharacter(request.username)) {
    return { code: ReasonCode.badUserNameOrPassword, reason: '' };
  }
  return undefined;
}

function decide(
  hub: Hub,
  connection: Connection,
  request: ConnectRequest,
  device: Device | null,
): void {
  if (device === null) {
    refuse(hub, connection, ReasonCode.badUserNameOrPassword, 'unknown access token');
  } else if (!device.enabled) {
    refuse(hub, connection, ReasonCode.notAuthorized, 'the device is disabled');
  } else {
    accept(hub, connection, request, device);
  }
}

function accept(hub: Hub, connection: Connection, request: ConnectRequest, device: Device): void {
  const assigned = request.clientIdentifier === '' ? `sluice-${randomUUID()}` : undefined;
  const granted = keepAliveGranted(hub, request);
  connection.device = device;
  connection.token = request.username ?? '';
  connection.clientIdentifier = assigned ?? request.clientIdentifier;
  connection.keepAliveMs = granted * 1500;
  connection.rate = hub.rates.of(device.id, hub.clock.monotonic());
  connection.state = ConnectionState.connected;
  connection.since = hub.now;
  // A client that need not ping may vanish without a word; the system notices in the end.
  if (granted === 0) connection.wire.setKeepAlive(true, limits.tcpKeepAliveMs);
  const answer =
    connection.version === 5
      ? encodeConnackAccepted({
          receiveMaximum: hub.options.receiveMaximum,
          maximumPacketSize: hub.options.packetBytesMax,
          topicAliasMaximum: limits.topicAliasesMax,
          serverKeepAliveSeconds: granted === request.keepAliveSeconds ? undefined : granted,
          assignedClientIdentifier: assigned,
        })
      : encodeConnack3(0);
  if (!connection.fits(answer)) {
    // The client takes no packet as large as the CONNACK that would tell it so [MQTT-3.1.2-24].
    hub.metrics.connectionsRefused.inc({ protocol: 'mqtt', reason: 'maximumPacketSize' });
    connection.finish('refused');
    return;
  }
  rememberWill(connection, request);
  connection.send(answer);
  hub.sessions.register(device.id, connection);
}

/** Seconds; a 5.0 client is held to the configured maximum and told so (Server Keep Alive). */
function keepAliveGranted(hub: Hub, request: ConnectRequest): number {
  const asked = request.keepAliveSeconds;
  const maximum = hub.options.keepAliveSecondsMax;
  if (request.version < 5 || maximum === 0) return asked;
  return asked === 0 || asked > maximum ? maximum : asked;
}

/** Keeps what differs from a plain session; most connections have nothing of the kind. */
function rememberLimits(connection: Connection, request: ConnectRequest): void {
  if (
    request.receiveMaximum === 65_535 &&
    request.maximumPacketSize === 0 &&
    request.problemInformation &&
    request.sessionExpirySeconds === 0
  ) {
    return;
  }
  const session = connection.sessionState();
  session.receiveMaximum = request.receiveMaximum;
  session.maximumPacketSize = request.maximumPacketSize;
  session.problemInformation = request.problemInformation;
  session.sessionExpirySeconds = request.sessionExpirySeconds;
}

/** A will elsewhere than on one of the device's publish topics has nobody to reach: ignored. */
function rememberWill(connection: Connection, request: ConnectRequest): void {
  const will = request.will;
  if (will === undefined) return;
  const route = routePublish(will.topic);
  if (route.kind !== 'message') return;
  connection.sessionState().will = {
    topic: will.topic,
    messageKind: route.messageKind,
    payload: Buffer.from(will.payload),
  };
}

/** Sends the CONNACK that the version has for `code`, if any, and closes. */
export function refuse(hub: Hub, connection: Connection, code: ReasonCode, reason: string): void {
  const label = refusalLabels.get(code) ?? 'malformed';
  hub.metrics.connectionsRefused.inc({ protocol: 'mqtt', reason: label });
  hub.logger.limited('mqtt_connect_refused', { reason: label, code });
  if (connection.version === 5) {
    const full = encodeConnackRefused(code, reason);
    const answer = connection.fits(full) ? full : encodeConnackRefused(code, '');
    if (connection.fits(answer)) connection.send(answer);
  } else if (connection.version !== 0) {
    const returnCode = connectReturnCode(code);
    if (returnCode !== undefined) connection.send(encodeConnack3(returnCode));
  }
  connection.finish('refused');
}

const refusalLabels: ReadonlyMap<number, string> = new Map([
  [ReasonCode.unsupportedProtocolVersion, 'protocolVersion'],
  [ReasonCode.clientIdentifierNotValid, 'clientIdentifier'],
  [ReasonCode.badUserNameOrPassword, 'credentials'],
  [ReasonCode.notAuthorized, 'notAuthorized'],
  [ReasonCode.serverUnavailable, 'registryUnavailable'],
  [ReasonCode.badAuthenticationMethod, 'authenticationMethod'],
  [ReasonCode.retainNotSupported, 'willRetain'],
  [ReasonCode.quotaExceeded, 'quota'],
]);
