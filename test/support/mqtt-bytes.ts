/** MQTT packets as hexadecimal digits, put together by hand: no encoder of ours is involved. */

/** The length of the packet that starts here; 0 when its header is cut. */
export function packetLength(bytes: Buffer): number {
  let length = 0;
  for (let index = 1; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) return 0;
    length += (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return length + index + 1;
  }
  return 0;
}

export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(/\s+/g, ''), 'hex');
}

/** A two-byte length and the text, as hexadecimal digits. */
export function text(value: string): string {
  const bytes = Buffer.from(value, 'utf8');
  return bytes.length.toString(16).padStart(4, '0') + bytes.toString('hex');
}

/** A packet from its first byte and its body, both as hexadecimal digits. */
export function packet(first: string, body: string): string {
  const compact = body.replaceAll(/\s+/g, '');
  let rest = compact.length / 2;
  let length = '';
  do {
    const byte = (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
    length += byte.toString(16).padStart(2, '0');
    rest >>= 7;
  } while (rest > 0);
  return first + length + compact;
}

export type Version = 3 | 4 | 5;
export const versions: readonly Version[] = [3, 4, 5];

/** A CONNECT with clean session, keep alive 0 and the given client identifier and user name. */
export function connectPacket(
  version: Version,
  identifier = 'client',
  username: string | undefined = 'token',
  properties = '',
): string {
  const name = version === 3 ? 'MQIsdp' : 'MQTT';
  const flags = username === undefined ? '02' : '82';
  const propertyBytes = properties.replaceAll(/\s+/g, '');
  const length = (propertyBytes.length / 2).toString(16).padStart(2, '0');
  return packet(
    '10',
    text(name) +
      `0${version}${flags}0000` +
      (version === 5 ? length + propertyBytes : '') +
      text(identifier) +
      (username === undefined ? '' : text(username)),
  );
}

/** A PUBLISH; `first` carries QoS, DUP and RETAIN. */
export function publishPacket(
  version: Version,
  first: string,
  identifier: number,
  topic: string,
  payload: string,
  properties = '00',
): string {
  const qos = (Number.parseInt(first, 16) >> 1) & 3;
  return packet(
    first,
    text(topic) +
      (qos > 0 ? identifier.toString(16).padStart(4, '0') : '') +
      (version === 5 ? properties : '') +
      Buffer.from(payload).toString('hex'),
  );
}

export const telemetry = 'v1/devices/me/telemetry';
