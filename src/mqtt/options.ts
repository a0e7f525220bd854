import { limits } from '../core/limits.js';

/** What the MQTT listener is told; `node.ts` maps the configuration to it. */
export interface MqttOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** The largest packet that is read, fixed header included; announced to 5.0 clients. */
  readonly packetBytesMax: number;
  /** What a 3.x device sees after a QoS 1 or 2 message whose payload is invalid. */
  readonly badPayload: 'ack' | 'close';
  readonly connectionsMax: number;
  /** The longest keep alive granted to 5.0 clients, seconds; 0 grants whatever is asked. */
  readonly keepAliveSecondsMax: number;
  /** QoS 1 and 2 messages that a 5.0 client may have unacknowledged. */
  readonly receiveMaximum: number;
  /** False reads through ordinary `data` events; true tries the shared buffer first. */
  readonly sharedReadBuffer: boolean;
}

export const mqttDefaults: MqttOptions = Object.freeze({
  host: '0.0.0.0',
  port: 1883,
  packetBytesMax: limits.payloadBytesMax,
  badPayload: 'ack',
  connectionsMax: limits.connectionsMax,
  keepAliveSecondsMax: 3600,
  receiveMaximum: limits.receiveMaximum,
  sharedReadBuffer: true,
});
