import { MessageKind, Protocol } from '../normalise/batch-layout.js';
import type { Connection } from './connection.js';
import type { Hub } from './hub.js';

/**
 * @hot Finds telemetry and attributes publishes in a chunk and makes rows of them, in place.
 *
 *     chunk  │32 4a … telemetry {…}│32 4a … telemetry {…}│c0 00│32 4a …
 *            └──────────── one copy into the arena ──────┘  │   └ a cut packet: carried
 *             row: (payload offset, length)   row: (…)      └ rare: mqtt-packet
 *
 * What is taken here is byte for byte what the rare path would accept: QoS 0 or 1, one of eight
 * topics, a packet identifier, no properties (or a payload format indicator). Anything else, right
 * or wrong, is left to the rare path, which knows the words for it.
 */

const notTaken = -1;
/** The shortest PUBLISH taken: two bytes of header, a topic of four bytes and its length. */
const packetBytesMin = 8;

/** QoS by the first byte of a PUBLISH that may be taken, else `notTaken`; 3.x ignores RETAIN. */
const qosByFirst3 = firstBytes([0x30, 0x31], [0x32, 0x33, 0x3a, 0x3b]);
/** 5.0 clients are told that there are no retained messages; one that comes is an error. */
const qosByFirst5 = firstBytes([0x30], [0x32, 0x3a]);

function firstBytes(qos0: readonly number[], qos1: readonly number[]): Int8Array {
  const table = new Int8Array(256).fill(notTaken);
  for (const first of qos0) table[first] = 0;
  for (const first of qos1) table[first] = 1;
  return table;
}

/**
 * Adds the leading messages of `bytes[from, to)` to the batch. Returns where it stopped: at `to`,
 * or at a packet for the rare path (also one that is cut or found no room), never inside a packet.
 * `view` is over the same memory as `bytes`. Only for a connected session.
 */
export function scan(
  hub: Hub,
  connection: Connection,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  to: number,
): number {
  const device = connection.device;
  if (device === undefined) return from;
  const version5 = connection.version === 5;
  const qosByFirst = version5 ? qosByFirst5 : qosByFirst3;
  const propertiesMin = version5 ? 1 : 0;
  const run = hub.run;
  const receivedAt = hub.clock.now();
  const packetBytesMax = hub.options.packetBytesMax;
  const allowedAtStart = hub.messagesAllowed(connection);
  let allowed = allowedAtStart;
  let acknowledged = 0;
  let at = from;
  while (at + packetBytesMin <= to && allowed > 0) {
    const qos = qosByFirst[bytes[at]!]!;
    if (qos === notTaken) break;
    const packed = remainingLength(bytes, at + 1);
    const body = at + 1 + (packed & 3);
    const end = body + (packed >> 2);
    // A remaining length of four bytes, a packet that is cut, too short for any topic, too large.
    if ((packed & 3) === 0 || end > to || end - body < 6 || end - at > packetBytesMax) break;
    const topicLength = (bytes[body]! << 8) | bytes[body + 1]!;
    let start = body + 2 + topicLength;
    if (start + qos * 2 + propertiesMin > end) break;
    // A remaining length that is wider than it needs to be: 5.0 forbids it [MQTT-1.5.5-1].
    if (version5 && body - at > 2 && bytes[body - 1] === 0) break;
    const kind = kindOfTopic(view, body + 2, topicLength);
    if (kind === notTaken) break;
    let ref = 0;
    if (qos === 1) {
      ref = (bytes[start]! << 8) | bytes[start + 1]!;
      if (ref === 0) break;
      start += 2;
    }
    if (version5) {
      start = skipProperties(bytes, start, end);
      if (start < 0) break;
    }
    if (!run.fits(end) && !run.begin(hub.batcher, bytes, at, end)) break;
    const base = run.base;
    const origin = qos === 1 ? connection : undefined;
    run.batch!.addRow(
      device,
      kind as MessageKind,
      Protocol.mqtt,
      receivedAt,
      base + start,
      end - start,
      base + body + 2,
      topicLength,
      origin,
      ref,
    );
    run.rowsLeft -= 1;
    hub.counts.add(qos, kind as MessageKind);
    allowed -= 1;
    acknowledged += qos;
    at = end;
  }
  run.finish(bytes, at);
  if (at > from) hub.messagesTaken(connection, allowedAtStart - allowed, acknowledged);
  return at;
}

/**
 * The remaining length at `at` as `length << 2 | bytes`, for up to three bytes; 0 when it has four:
 * such a packet is 2 MiB or longer, and the rare path knows whether that is too large.
 */
function remainingLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return (first << 2) | 1;
  const second = bytes[at + 1]!;
  if (second < 0x80) return (((first & 0x7f) | (second << 7)) << 2) | 2;
  const third = bytes[at + 2]!;
  if (third < 0x80) return (((first & 0x7f) | ((second & 0x7f) << 7) | (third << 14)) << 2) | 3;
  return 0;
}

// The topics as big-endian words, compared four bytes at a time.
const v1De = 0x76312f64; // v1/d
const evic = 0x65766963;
const esSlashM = 0x65732f6d; // es/m
const eSlashTe = 0x652f7465; // e/te
const leme = 0x6c656d65;
const etry = 0x65747279;
const eSlashAt = 0x652f6174; // e/at
const trib = 0x74726962;
const utes = 0x75746573;
const v2Telemetry = 0x76322f74; // v2/t
const v2Attributes = 0x76322f61; // v2/a
const slashJ = 0x2f6a;
const slashM = 0x2f6d;

/** The kind of the topic name at `at`, or `notTaken`. The length decides what it can be. */
function kindOfTopic(view: DataView, at: number, length: number): number {
  switch (length) {
    case 23:
      return view.getInt32(at + 19) === etry && // The last words differ most: first.
        view.getInt32(at + 16) === leme &&
        view.getInt32(at + 12) === eSlashTe &&
        isDevicesMe(view, at)
        ? MessageKind.telemetryJson
        : notTaken;
    case 24:
      return view.getInt32(at + 20) === utes &&
        view.getInt32(at + 16) === trib &&
        view.getInt32(at + 12) === eSlashAt &&
        isDevicesMe(view, at)
        ? MessageKind.attributesJson
        : notTaken;
    case 4:
      return kindOfShortTopic(view.getInt32(at), slashJ);
    case 6:
      return kindOfShortTopic(view.getInt32(at), view.getUint16(at + 4));
    default:
      return notTaken;
  }
}

/** True for `v1/devices/m`. */
function isDevicesMe(view: DataView, at: number): boolean {
  return (
    view.getInt32(at + 8) === esSlashM &&
    view.getInt32(at + 4) === evic &&
    view.getInt32(at) === v1De
  );
}

function kindOfShortTopic(head: number, suffix: number): number {
  if (head === v2Telemetry) {
    if (suffix === slashJ) return MessageKind.telemetryJson;
    if (suffix === slashM) return MessageKind.telemetryMsgpack;
  } else if (head === v2Attributes) {
    if (suffix === slashJ) return MessageKind.attributesJson;
    if (suffix === slashM) return MessageKind.attributesMsgpack;
  }
  return notTaken;
}

/**
 * Where the payload starts behind the properties at `at`, or -1 when they need care. No property at
 * all is the rule; a payload format indicator alone says nothing that the normaliser does not
 * check.
 */
function skipProperties(bytes: Uint8Array, at: number, end: number): number {
  const length = bytes[at]!;
  if (length === 0) return at + 1;
  if (length !== 2 || at + 3 > end) return -1;
  return bytes[at + 1] === 1 && bytes[at + 2]! <= 1 ? at + 3 : -1;
}
