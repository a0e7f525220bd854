import { Agent, request } from 'node:http';
import { connect, type MqttClient } from 'mqtt';
import type { NodePorts } from './node-process.js';

/**
 * A bounded load that remembers what was acknowledged. Message number `n` of the whole load is one
 * point: key `n`, value `n`, ts `baseTs + n`, so each can be found again and none is sent twice.
 */
export class LedgerLoad {
  static readonly baseTs = 1_700_000_000_000;
  readonly acked: Set<number>;
  readonly #token: string;
  #sent: number;
  #stopped: boolean;
  #clients: MqttClient[];
  #agent: Agent | undefined;

  constructor(token: string) {
    this.#token = token;
    this.acked = new Set();
    this.#sent = 0;
    this.#stopped = true;
    this.#clients = [];
    this.#agent = undefined;
  }

  /** Messages given to a socket so far, acknowledged or not. */
  get sent(): number {
    return this.#sent;
  }

  /** Starts `clients` MQTT QoS 1 connections with `window` in flight, and `posts` HTTP loops. */
  start(ports: NodePorts, clients: number, window: number, posts: number): void {
    this.#stopped = false;
    for (let index = 0; index < clients; index++) this.#startMqtt(ports.mqtt, window);
    this.#agent = new Agent({ keepAlive: true });
    for (let index = 0; index < posts; index++) this.#post(ports.http);
  }

  /** Ends all connections at once; what is unacknowledged stays so. */
  stop(): void {
    this.#stopped = true;
    for (const client of this.#clients) client.end(true);
    this.#clients = [];
    this.#agent?.destroy();
  }

  #next(): { number: number; payload: string } {
    const number = this.#sent;
    this.#sent += 1;
    return { number, payload: `{"ts":${LedgerLoad.baseTs + number},"values":{"n":${number}}}` };
  }

  #startMqtt(port: number, window: number): void {
    const client = connect(`mqtt://127.0.0.1:${port}`, {
      username: this.#token,
      reconnectPeriod: 0,
      clientId: `load-${this.#clients.length}`,
    });
    client.on('error', () => {
      // The node was killed: what is unacknowledged may be lost.
    });
    const publish = (): void => {
      if (this.#stopped || !client.connected) return;
      const { number, payload } = this.#next();
      client.publish('v1/devices/me/telemetry', payload, { qos: 1 }, (error) => {
        if (error) return;
        this.acked.add(number);
        publish();
      });
    };
    client.once('connect', () => {
      for (let index = 0; index < window; index++) publish();
    });
    this.#clients.push(client);
  }

  #post(port: number): void {
    if (this.#stopped) return;
    const { number, payload } = this.#next();
    const post = request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: `/api/v1/${this.#token}/telemetry`,
        agent: this.#agent,
        headers: { 'content-length': payload.length },
      },
      (response) => {
        response.resume();
        response.once('error', () => {
          // Cut off by the kill.
        });
        response.once('end', () => {
          if (response.statusCode === 200) this.acked.add(number);
          this.#post(port);
        });
      },
    );
    post.once('error', () => {
      // The node was killed: this one is unacknowledged, and the loop ends.
    });
    post.end(payload);
  }
}
