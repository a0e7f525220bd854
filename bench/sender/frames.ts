import { deviceName, deviceToken } from './device-names.js';

/**
 * MQTT 3.1.1 packets as bytes, made before the clock runs. Packet identifiers of a ring are 1…size,
 * the slot of an identifier is `id - 1`.
 */
const telemetryTopic = 'v1/devices/me/telemetry';

const keepAliveSeconds = 600;

/** CONNECT with clean session, the device's access token as user name, and no password. */
export function connectFrame(device: number, suffix = ''): Buffer {
  const body = Buffer.concat([
    field('MQTT'),
    Buffer.from([4, 0b1000_0010, keepAliveSeconds >> 8, keepAliveSeconds & 0xff]),
    field(deviceName(device) + suffix),
    field(deviceToken(device)),
  ]);
  return packet(0x10, body);
}

const pingFrame: Uint8Array = Buffer.from([0xc0, 0]);
export const disconnectFrame: Uint8Array = Buffer.from([0xe0, 0]);

/** The payload of the peer comparison: three keys, 45 to 47 bytes, a few values varied. */
export function flatPayload(variant: number): string {
  const temperature = (20 + (variant % 40) * 0.25 + 0.06).toFixed(2);
  const humidity = (50 + (variant % 30) * 0.5 + 0.2).toFixed(1);
  return `{"temperature":${temperature},"humidity":${humidity},"n":${100 + (variant % 900)}}`;
}

/** PUBLISH; `id` 0 leaves the packet identifier out (QoS 0). */
export function publishFrame(qos: 0 | 1 | 2, id: number, payload: string): Buffer {
  const identifier = qos === 0 ? Buffer.alloc(0) : Buffer.from([id >> 8, id & 0xff]);
  const body = Buffer.concat([field(telemetryTopic), identifier, Buffer.from(payload)]);
  return packet(0x30 | (qos << 1), body);
}

/** PUBREL for one packet identifier. */
export function releaseFrame(id: number): Buffer {
  return Buffer.from([0x62, 2, id >> 8, id & 0xff]);
}

/** As many QoS 0 messages as fit in `bytes`, closed by a PINGREQ. */
export function floodChunk(bytes: number): { chunk: Buffer; messages: number } {
  const frames: Buffer[] = [];
  let size = pingFrame.length;
  for (let index = 0; ; index++) {
    const frame = publishFrame(0, 0, flatPayload(index));
    if (size + frame.length > bytes && index > 0) break;
    frames.push(frame);
    size += frame.length;
  }
  return { chunk: Buffer.concat([...frames, pingFrame]), messages: frames.length };
}

function packet(header: number, body: Buffer): Buffer {
  const size: number[] = [];
  for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      size.push(rest);
      break;
    }
    size.push((rest % 128) | 0x80);
  }
  return Buffer.concat([Buffer.from([header, ...size]), body]);
}

function field(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
