import {
  parser as createParser,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  type Parser,
} from 'mqtt-packet';

/**
 * The door to `mqtt-packet`: turns a complete packet that passed `check.ts` into the fields that
 * the node uses, in the specification's words. The library's spelling (`messageId`, `clean`) ends
 * here.
 *
 * Byte ranges in the answers are views of the packet: copy what outlives the call.
 */
export interface ConnectRequest {
  readonly version: 3 | 4 | 5;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly clientIdentifier: string;
  readonly username: string | undefined;
  readonly will: WillRequest | undefined;
  /** 0 when absent. */
  readonly sessionExpirySeconds: number;
  readonly receiveMaximum: number;
  /** 0 when absent: no maximum. */
  readonly maximumPacketSize: number;
  readonly problemInformation: boolean;
  readonly authenticationMethod: boolean;
  readonly authenticationData: boolean;
}

export interface WillRequest {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

export interface PublishRequest {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Empty when the topic alias stands for it. */
  readonly topic: string;
  /** 0 at QoS 0. */
  readonly packetIdentifier: number;
  /** Undefined when absent. */
  readonly topicAlias: number | undefined;
  readonly subscriptionIdentifier: boolean;
  readonly payload: Buffer;
}

export interface SubscribeRequest {
  readonly packetIdentifier: number;
  readonly filters: readonly { readonly filter: string; readonly qos: 0 | 1 | 2 }[];
  readonly subscriptionIdentifier: boolean;
}

export interface UnsubscribeRequest {
  readonly packetIdentifier: number;
  readonly filters: readonly string[];
}

export interface AcknowledgementRequest {
  readonly packetIdentifier: number;
  readonly reasonCode: number;
}

export interface DisconnectRequest {
  readonly reasonCode: number;
  /** Undefined when absent. */
  readonly sessionExpirySeconds: number | undefined;
}

/**
 * One parser of the library per protocol version serves all connections: it only ever sees one
 * whole packet at a time, so it holds nothing of a connection. Each method returns undefined when
 * the library refuses the packet or finds another kind.
 */
export class Decoder {
  readonly #connect: WholePacketParser;
  readonly #version4: WholePacketParser;
  readonly #version5: WholePacketParser;

  constructor() {
    this.#connect = new WholePacketParser(4);
    this.#version4 = new WholePacketParser(4);
    this.#version5 = new WholePacketParser(5);
  }

  connect(bytes: Buffer): ConnectRequest | undefined {
    const packet = this.#connect.parse(bytes);
    return packet?.cmd === 'connect' ? connectRequest(packet) : undefined;
  }

  publish(version: number, bytes: Buffer): PublishRequest | undefined {
    const packet = this.#of(version).parse(bytes);
    return packet?.cmd === 'publish' ? publishRequest(packet) : undefined;
  }

  subscribe(version: number, bytes: Buffer): SubscribeRequest | undefined {
    const packet = this.#of(version).parse(bytes);
    if (packet?.cmd !== 'subscribe') return undefined;
    return {
      packetIdentifier: packet.messageId ?? 0,
      filters: packet.subscriptions.map(({ topic, qos }) => ({ filter: topic, qos })),
      subscriptionIdentifier: packet.properties?.subscriptionIdentifier !== undefined,
    };
  }

  unsubscribe(version: number, bytes: Buffer): UnsubscribeRequest | undefined {
    const packet = this.#of(version).parse(bytes);
    if (packet?.cmd !== 'unsubscribe') return undefined;
    return { packetIdentifier: packet.messageId ?? 0, filters: packet.unsubscriptions };
  }

  /** PUBACK, PUBREC, PUBREL and PUBCOMP. */
  acknowledgement(version: number, bytes: Buffer): AcknowledgementRequest | undefined {
    const packet = this.#of(version).parse(bytes);
    switch (packet?.cmd) {
      case 'puback':
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        return { packetIdentifier: packet.messageId ?? 0, reasonCode: packet.reasonCode ?? 0 };
      default:
        return undefined;
    }
  }

  disconnect(version: number, bytes: Buffer): DisconnectRequest | undefined {
    const packet = this.#of(version).parse(bytes);
    if (packet?.cmd !== 'disconnect') return undefined;
    return {
      reasonCode: packet.reasonCode ?? 0,
      sessionExpirySeconds: packet.properties?.sessionExpiryInterval,
    };
  }

  #of(version: number): WholePacketParser {
    return version === 5 ? this.#version5 : this.#version4;
  }
}

/** The library's streaming parser, fed with one whole packet at a time. */
class WholePacketParser {
  readonly #version: 4 | 5;
  #parser: Parser;
  #packet: Packet | undefined;
  #packets: number;
  #failed: boolean;

  constructor(version: 4 | 5) {
    this.#version = version;
    this.#packet = undefined;
    this.#packets = 0;
    this.#failed = false;
    this.#parser = this.#create();
  }

  parse(bytes: Buffer): Packet | undefined {
    this.#packet = undefined;
    this.#packets = 0;
    this.#failed = false;
    let left = -1;
    try {
      left = this.#parser.parse(bytes);
    } catch {
      this.#failed = true;
    }
    const packet = this.#packet;
    this.#packet = undefined;
    if (!this.#failed && left === 0 && this.#packets === 1) return packet;
    // What is left in a parser that failed must not meet the next connection's packet.
    this.#parser = this.#create();
    return undefined;
  }

  #create(): Parser {
    const created = createParser({ protocolVersion: this.#version });
    created.on('packet', (packet) => {
      this.#packet = packet;
      this.#packets += 1;
    });
    created.on('error', () => {
      this.#failed = true;
    });
    return created;
  }
}

function connectRequest(packet: IConnectPacket): ConnectRequest {
  const properties = packet.properties;
  const will = packet.will;
  return {
    version: packet.protocolVersion ?? 4,
    cleanStart: packet.clean === true,
    keepAliveSeconds: packet.keepalive ?? 0,
    clientIdentifier: packet.clientId,
    username: packet.username,
    will:
      will === undefined
        ? undefined
        : { topic: will.topic, payload: bufferOf(will.payload), retain: will.retain === true },
    sessionExpirySeconds: properties?.sessionExpiryInterval ?? 0,
    receiveMaximum: properties?.receiveMaximum ?? 65_535,
    maximumPacketSize: properties?.maximumPacketSize ?? 0,
    problemInformation: properties?.requestProblemInformation !== false,
    authenticationMethod: properties?.authenticationMethod !== undefined,
    authenticationData: properties?.authenticationData !== undefined,
  };
}

function publishRequest(packet: IPublishPacket): PublishRequest {
  return {
    qos: packet.qos,
    retain: packet.retain,
    topic: packet.topic,
    packetIdentifier: packet.qos === 0 ? 0 : (packet.messageId ?? 0),
    topicAlias: packet.properties?.topicAlias,
    subscriptionIdentifier: packet.properties?.subscriptionIdentifier !== undefined,
    payload: bufferOf(packet.payload),
  };
}

/** The library's types allow text where its parser only ever gives bytes. */
function bufferOf(bytes: Buffer | string): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
}
