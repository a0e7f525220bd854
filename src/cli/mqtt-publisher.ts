import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { NodeError } from '../core/errors.js';

/**
 * The few MQTT 5.0 packets that a test message needs, written and read by hand: CONNECT, CONNACK,
 * PUBLISH with QoS 1, PUBACK, DISCONNECT. Version 5 because its acknowledgements say why not.
 */
const connack = 2;
const puback = 4;
const disconnect = 14;
const reasonString = 0x1f;
const packetBytesMax = 64 * 1024;

// [MQTT-3.1.2] the connect flags used here, and the shortest property list.
const cleanStart = 0x02;
const userName = 0x80;
const keepAliveSeconds = 60;
const noProperties = 0;

interface Packet {
  readonly type: number;
  readonly body: Buffer;
}

export class MqttPublisher {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #received: Buffer;

  /** The socket is connected; its owner closes it. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]();
    this.#received = Buffer.alloc(0);
  }

  /** Resolves when the access token was accepted. */
  async connect(token: string): Promise<void> {
    const protocol = [text('MQTT'), [5, cleanStart | userName, 0, keepAliveSeconds, noProperties]];
    this.#send(0x10, ...protocol, text(''), text(token));
    const { body } = await this.#next(connack);
    const reason = body[1] ?? 0;
    if (reason !== 0) throw refused('the access token', reason, reasonOf(body.subarray(2)));
  }

  /** Resolves when the node has acknowledged the message. */
  async publish(topic: string, payload: Buffer): Promise<void> {
    const packetIdentifier = [0, 1];
    this.#send(0x32, text(topic), packetIdentifier, [noProperties], payload);
    const { body } = await this.#next(puback);
    const reason = body[2] ?? 0;
    if (reason >= 0x80) throw refused('the message', reason, reasonOf(body.subarray(3)));
  }

  disconnect(): void {
    this.#send(disconnect << 4);
  }

  #send(firstByte: number, ...parts: (Uint8Array | readonly number[])[]): void {
    const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
    const header = [firstByte, ...variableByteInteger(body.length)];
    this.#socket.write(Buffer.concat([Uint8Array.from(header), body]));
  }

  async #next(expected: number): Promise<Packet> {
    for (;;) {
      const packet = this.#take();
      if (packet?.type === expected) return packet;
      if (packet?.type === disconnect) {
        const reason = packet.body[0] ?? 0;
        throw refused('the connection', reason, reasonOf(packet.body.subarray(1)));
      }
      if (packet !== undefined) continue;
      const { value, done } = await this.#chunks.next();
      if (done === true) {
        const message = 'cannot publish: the node closed the connection without an answer';
        throw new NodeError('SLUICE_PUBLISH_FAILED', message, 'Its log says why.');
      }
      this.#received = Buffer.concat([this.#received, value]);
    }
  }

  #take(): Packet | undefined {
    const length = readVariableByteInteger(this.#received, 1);
    if (length === undefined) return undefined;
    const end = length.end + length.value;
    if (end > packetBytesMax) {
      const message = `cannot publish: the answer has ${end} bytes`;
      throw new NodeError('SLUICE_PUBLISH_FAILED', message, 'Is this an MQTT port?');
    }
    if (this.#received.length < end) return undefined;
    const type = (this.#received[0] ?? 0) >> 4;
    const body = this.#received.subarray(length.end, end);
    this.#received = this.#received.subarray(end);
    return { type, body };
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** [MQTT-1.5.5] seven bits a byte, the least significant first. */
function variableByteInteger(value: number): number[] {
  if (value < 0x80) return [value];
  return [(value & 0x7f) | 0x80, ...variableByteInteger(value >> 7)];
}

function readVariableByteInteger(
  bytes: Buffer,
  start: number,
): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return { value: packetBytesMax, end: start + 4 };
}

/** The Reason String of a property list, if that is its first property; '' otherwise. */
function reasonOf(properties: Buffer): string {
  const length = readVariableByteInteger(properties, 0);
  if (length === undefined) return '';
  const list = properties.subarray(length.end, length.end + length.value);
  if (list[0] !== reasonString || list.length < 3) return '';
  return list.toString('utf8', 3, 3 + list.readUInt16BE(1));
}

function refused(what: string, reason: number, words: string): NodeError {
  const code = `0x${reason.toString(16).padStart(2, '0')}`;
  const because = words === '' ? '' : `: ${words}`;
  const message = `cannot publish: the node refused ${what} with reason code ${code}${because}`;
  return new NodeError('SLUICE_PUBLISH_FAILED', message, remedies[reason] ?? '');
}

const remedies: Readonly<Record<number, string>> = {
  134: 'Check the token: `sluice device token show NAME`.',
  135: 'The device may be disabled: `sluice device enable NAME`.',
};
