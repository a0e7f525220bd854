import { limits } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { Origin } from '../core/origin.js';
import { Outcome, outcomeReason } from '../core/outcome.js';
import type { TokenBucket } from '../device/message-rate.js';
import type { DeviceSession, SessionEnd } from '../device/sessions.js';
import type { Device } from '../registry/device.js';
import type { AckHolder, AckList, Scratch } from './acks.js';
import { ConnectionState, PauseReason } from './connection-state.js';
import { acknowledgementWord, encodeAcknowledgement, encodeDisconnect } from './encode.js';
import { ReceivedState } from './inflight.js';
import type { MqttOptions } from './options.js';
import { PacketType } from './packet-type.js';
import { answerOf, type CloseReason, ReasonCode, sessionEndCode } from './reason-codes.js';
import { SessionState } from './session-state.js';
import type { Wire } from './wire.js';

/** What all connections of a listener share; implemented by `Hub`. */
export interface ConnectionHub {
  readonly options: MqttOptions;
  readonly logger: Logger;
  readonly acks: AckList;
  readonly scratch: Scratch;
  /** Monotonic whole milliseconds, as of the last sweep: coarse, but free. */
  now: number;
  /** Flushes everything queued at the end of this turn: for packets sent outside a read. */
  flushSoon(): void;
  /** Reading stopped for `reason`; only told when it was going on. */
  paused(reason: PauseReason): void;
  /** What is held may be processed; reading goes on too if nothing else forbids it. */
  resumed(connection: Connection): void;
  /** A credential of the connection's device ended: ends the session if it was its token. */
  recheck(connection: Connection): void;
  /** The session is over; the socket may live a little longer. Called once per connection. */
  ended(connection: Connection, reason: CloseReason): void;
  /** The socket is gone too. Called once per connection. */
  removed(connection: Connection): void;
}

/** A packet that has to keep its place among the acknowledgements of earlier messages. */
interface DeferredPacket {
  /** It follows the settling with this count. */
  readonly after: number;
  readonly bytes: Buffer;
}

const pubackWord = acknowledgementWord(PacketType.puback, 0);
const pubrecWord = acknowledgementWord(PacketType.pubrec, 0);

/** Bit of a row's `ref` that says QoS 2; the lower 16 bits are the packet identifier. */
export const refQos2 = 0x10000;

/**
 * @hot One client's connection: what it holds between two events, how packets leave it, and how it
 * ends. What the packets mean is the business of `channel.ts`.
 *
 * It is kept small, because there are a hundred thousand of them: buffers exist only while a packet
 * is incomplete (`carry`) or unprocessed (`held`), and what few sessions need is in `session`.
 */
export class Connection implements Origin, AckHolder, DeviceSession {
  readonly wire: Wire;
  readonly hub: ConnectionHub;
  state: ConnectionState;
  /** 3 (3.1), 4 (3.1.1) or 5; 0 before CONNECT. */
  version: number;
  /** Bits of `PauseReason`. */
  pauses: number;
  /** 1.5 × keep alive in milliseconds; 0 is off. */
  keepAliveMs: number;
  /** `hub.now` at the last complete packet, or when the present state began. */
  since: number;
  /** Index in the listener's list. */
  slot: number;
  device: Device | undefined;
  clientIdentifier: string;
  /** The access token that the session was opened with; never logged. */
  token: string;
  rate: TokenBucket | undefined;
  /** QoS 1 and 2 messages handed over and not settled; `settled` counts those that are. */
  unsettled: number;
  settled: number;
  deferred: DeferredPacket[] | undefined;
  ackHead: number;
  ackTail: number;
  ackCount: number;
  dirty: boolean;
  /** Packets to be written before the acknowledgements in the list. */
  out: Buffer[] | undefined;
  /** The first `carryUsed` bytes of a packet that is cut; `carryTotal` is 0 if that is unknown. */
  carry: Buffer | undefined;
  carryUsed: number;
  carryTotal: number;
  /** Bytes read but not processed while reading is paused: `held[heldFrom, heldTo)`. */
  held: Buffer | undefined;
  heldFrom: number;
  heldTo: number;
  session: SessionState | undefined;

  constructor(wire: Wire, hub: ConnectionHub) {
    this.wire = wire;
    this.hub = hub;
    this.state = ConnectionState.awaitingConnect;
    this.version = 0;
    this.pauses = 0;
    this.keepAliveMs = 0;
    this.since = hub.now;
    this.slot = -1;
    this.device = undefined;
    this.clientIdentifier = '';
    this.token = '';
    this.rate = undefined;
    this.unsettled = 0;
    this.settled = 0;
    this.deferred = undefined;
    this.ackHead = -1;
    this.ackTail = -1;
    this.ackCount = 0;
    this.dirty = false;
    this.out = undefined;
    this.carry = undefined;
    this.carryUsed = 0;
    this.carryTotal = 0;
    this.held = undefined;
    this.heldFrom = 0;
    this.heldTo = 0;
    this.session = undefined;
  }

  get protocol(): string {
    return 'mqtt';
  }

  get sessionName(): string {
    return this.clientIdentifier;
  }

  /** The rarely needed part of the session, made when it is first needed. */
  sessionState(): SessionState {
    this.session ??= new SessionState();
    return this.session;
  }

  // ── acknowledgements ──────────────────────────────────────────────────────────────────────────

  settle(ref: number, outcome: number, offset: number): void {
    this.unsettled -= 1;
    this.settled = (this.settled + 1) | 0;
    if (this.state !== ConnectionState.connected) return;
    if (outcome === Outcome.accepted && ref < refQos2 && this.deferred === undefined) {
      this.hub.acks.add(this, pubackWord | ref);
      return;
    }
    this.#settleRarely(ref, outcome, offset);
    if (this.deferred !== undefined) this.#sendDeferred(this.deferred);
  }

  #settleRarely(ref: number, outcome: number, offset: number): void {
    const identifier = ref & 0xffff;
    const qos2 = ref >= refQos2;
    const answer = answerOf(this.version, outcome, this.hub.options.badPayload);
    if (answer.kind === 'shutdown') {
      this.disconnect(ReasonCode.serverShuttingDown, 'shutdown');
      return;
    }
    if (answer.kind === 'close') {
      this.finish(answer.reason);
      return;
    }
    const failed = this.version === 5 && answer.reasonCode !== ReasonCode.success;
    if (qos2) {
      // A PUBREC with a failure ends the exchange; after any other the identifier waits for PUBREL.
      const state = failed ? ReceivedState.none : ReceivedState.received;
      this.session?.received?.set(identifier, state);
    }
    if (!failed) {
      this.hub.acks.add(this, (qos2 ? pubrecWord : pubackWord) | identifier);
      return;
    }
    const type = qos2 ? PacketType.pubrec : PacketType.puback;
    this.sendAcknowledgement(type, identifier, answer.reasonCode, outcomeReason(outcome, offset));
  }

  #sendDeferred(deferred: DeferredPacket[]): void {
    while (deferred[0]?.after === this.settled) {
      const next = deferred.shift();
      if (next !== undefined) this.send(next.bytes);
    }
    if (deferred.length === 0) this.deferred = undefined;
  }

  /**
   * Sends a packet after the acknowledgements of everything handed over so far: they have to follow
   * the order of receipt [MQTT-4.6.0-2], [MQTT-4.6.0-3].
   */
  sendInOrder(bytes: Buffer): void {
    if (this.unsettled === 0) {
      this.send(bytes);
      return;
    }
    this.deferred ??= [];
    this.deferred.push({ after: (this.settled + this.unsettled) | 0, bytes });
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP with a reason code, and a Reason String if it is wanted. */
  sendAcknowledgement(type: PacketType, identifier: number, code: number, reason: string): void {
    this.send(this.acknowledgement(type, identifier, code, reason));
  }

  /** The bytes of such a packet, without the Reason String where it may not be sent. */
  acknowledgement(type: PacketType, identifier: number, code: number, reason: string): Buffer {
    const session = this.session;
    // [MQTT-3.1.2-29]: only if the client did not turn problem information off.
    const wanted = session === undefined || session.problemInformation;
    const bytes = encodeAcknowledgement(type, identifier, code, wanted ? reason : '');
    // [MQTT-3.4.2-2], [MQTT-3.5.2-2]: not when it makes the packet larger than the client takes.
    if (wanted && !this.fits(bytes)) return encodeAcknowledgement(type, identifier, code, '');
    return bytes;
  }

  /** True when the packet is within the client's Maximum Packet Size [MQTT-3.1.2-24]. */
  fits(bytes: Buffer): boolean {
    const maximum = this.session?.maximumPacketSize ?? 0;
    return maximum === 0 || bytes.length <= maximum;
  }

  // ── writing ───────────────────────────────────────────────────────────────────────────────────

  /** Queues a packet for the end of the round. The connection owns `bytes` from now on. */
  send(bytes: Buffer): void {
    if (this.state >= ConnectionState.closing) return;
    const out = this.out ?? [];
    this.out = out;
    if (this.ackCount > 0) {
      const earlier = Buffer.allocUnsafe(this.ackCount * 4);
      this.hub.acks.take(this, earlier);
      out.push(earlier);
    }
    out.push(bytes);
    this.hub.acks.touch(this);
  }

  flush(): void {
    const out = this.out;
    const count = this.ackCount;
    if (this.state >= ConnectionState.closing) {
      this.out = undefined;
      this.hub.acks.forget(this);
      return;
    }
    if (out !== undefined) {
      this.out = undefined;
      if (count > 0) {
        const later = Buffer.allocUnsafe(count * 4);
        this.hub.acks.take(this, later);
        out.push(later);
      }
      this.wire.write(out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out));
    } else if (count > 0) {
      this.#writeAcks(count);
    }
    if (this.wire.writableLength > limits.writeBufferBytesMax) this.pause(PauseReason.writes);
  }

  #writeAcks(count: number): void {
    const scratch = this.hub.scratch;
    const view = scratch.view(count);
    this.hub.acks.take(this, view);
    if (this.wire.writableLength > 0) {
      // It will wait behind what waits already: give it bytes of its own.
      this.wire.write(Buffer.from(view));
      return;
    }
    this.wire.write(view);
    if (this.wire.writableLength > 0) scratch.renew();
  }

  // ── reading on and off ────────────────────────────────────────────────────────────────────────

  pause(reason: PauseReason): void {
    if (this.state >= ConnectionState.closing || (this.pauses & reason) !== 0) return;
    if (this.pauses === 0) this.wire.pause();
    this.pauses |= reason;
    this.since = this.hub.now;
    this.hub.paused(reason);
  }

  unpause(reason: PauseReason): void {
    if ((this.pauses & reason) === 0) return;
    this.pauses &= ~reason;
    // Silence while we did not listen is not the peer's.
    this.since = this.hub.now;
    if (!this.blocked && this.state < ConnectionState.closing) this.hub.resumed(this);
  }

  /**
   * True while bytes that are here already have to wait. Not so for `memory`: processing what is
   * held is what makes room.
   */
  get blocked(): boolean {
    return (this.pauses & ~PauseReason.memory) !== 0;
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────

  /** Ends a connected session; a 5.0 client is told why, 3.x has no word for it. */
  disconnect(reasonCode: ReasonCode, reason: CloseReason, text = ''): void {
    if (this.version === 5 && this.state === ConnectionState.connected) {
      const bytes = encodeDisconnect(reasonCode, text);
      // [MQTT-3.14.2-3]: the Reason String goes first when the packet is too large for the client.
      if (this.fits(bytes)) this.send(bytes);
      else this.send(encodeDisconnect(reasonCode, ''));
    }
    this.finish(reason);
  }

  /** Writes what is queued, then ends the socket. Nothing that the peer sends counts any more. */
  finish(reason: CloseReason): void {
    if (this.state >= ConnectionState.closing) return;
    this.flush();
    this.state = ConnectionState.closing;
    this.since = this.hub.now;
    if (this.pauses !== 0) this.wire.resume();
    this.pauses = 0;
    this.wire.end();
    this.#release(reason);
  }

  /** The socket is gone. */
  gone(): void {
    const before = this.state;
    this.state = ConnectionState.closed;
    if (before < ConnectionState.closing) this.#release('peer');
    if (before < ConnectionState.closed) this.hub.removed(this);
  }

  #release(reason: CloseReason): void {
    this.deferred = undefined;
    this.out = undefined;
    this.hub.acks.forget(this);
    this.hub.ended(this, reason);
    this.session?.sent?.abandon();
    this.session = undefined;
  }

  end(reason: SessionEnd): void {
    this.disconnect(sessionEndCode(reason), reason);
  }

  deviceChanged(device: Device): void {
    this.device = device;
  }

  credentialEnded(device: Device): void {
    this.device = device;
    this.hub.recheck(this);
  }
}
