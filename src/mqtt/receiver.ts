import { limits } from '../core/limits.js';
import { handlePacket } from './channel.js';
import type { Connection } from './connection.js';
import { ConnectionState } from './connection-state.js';
import type { Hub } from './hub.js';
import { PacketType } from './packet-type.js';
import { ReasonCode } from './reason-codes.js';
import { scan } from './scan.js';

/** Fixed header: one byte and a remaining length of at most four. */
const headerBytesMax = 5;
/** `packetLength` of bytes that cannot be the start of a packet. */
const malformed = -1;

/**
 * @hot From the bytes of a read to whole packets, whatever way the stream was cut.
 *
 *     read ─► carry complete? ─► scan ─► rare packet ─► scan ─► … ─► rest
 *                                                                     ├─ cut packet    → carry
 *                                                                     └─ must wait     → held
 *
 * carry  the start of a packet, in a buffer of its declared length: each byte is copied once,
 *        however slowly they come. A length that is too large is refused before anything is kept.
 * held   bytes that arrived but may not be processed yet; the socket is paused meanwhile, so there
 *        is at most about one read of them per connection.
 *
 * `bytes` is the shared read buffer: nothing here keeps a view of it beyond the call.
 */
export class Receiver {
  readonly #hub: Hub;
  /** The held bytes that are being processed: what of them has to wait again is not copied. */
  #resuming: Buffer | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.#resuming = undefined;
  }

  /** Processes one read, `bytes[0, length)`. An error costs this connection only. */
  receive(connection: Connection, bytes: Buffer, view: DataView, length: number): void {
    if (connection.state >= ConnectionState.closing) return;
    try {
      this.#take(connection, bytes, view, 0, length);
    } catch (thrown) {
      this.#fail(connection, thrown);
    }
    this.#hub.batcher.submit();
    this.#hub.acks.flushAll();
  }

  /** Goes on with what was held; the socket is read again unless that pauses it once more. */
  resume(connection: Connection): void {
    const held = connection.held;
    if (held !== undefined) {
      const from = connection.heldFrom;
      const to = connection.heldTo;
      this.#releaseHeld(connection);
      this.#resuming = held;
      try {
        this.#take(connection, held, viewOf(held), from, to);
      } catch (thrown) {
        this.#fail(connection, thrown);
      }
      this.#resuming = undefined;
      this.#hub.batcher.submit();
      this.#hub.acks.flushAll();
    }
    if (connection.pauses === 0 && connection.state < ConnectionState.closing) {
      connection.wire.resume();
    }
  }

  /** Frees what the connection holds when its session is over. */
  release(connection: Connection): void {
    this.#releaseCarry(connection);
    if (connection.held !== undefined) this.#releaseHeld(connection);
  }

  #take(connection: Connection, bytes: Buffer, view: DataView, from: number, to: number): void {
    let at = from;
    if (!connection.blocked && connection.carry !== undefined) {
      at = this.#continueCarry(connection, connection.carry, bytes, at, to);
    }
    if (at >= to || connection.state >= ConnectionState.closing) return;
    if (connection.blocked) this.#hold(connection, bytes, at, to);
    else this.#packets(connection, bytes, view, at, to);
  }

  #packets(connection: Connection, bytes: Buffer, view: DataView, from: number, to: number): void {
    const hub = this.#hub;
    let at = from;
    while (at < to && connection.state < ConnectionState.closing) {
      if (connection.state === ConnectionState.connected) {
        at = scan(hub, connection, bytes, view, at, to);
        if (at >= to) return;
      }
      if (this.#isNoConnect(connection, bytes[at]!)) return;
      const length = packetLength(bytes, at, to);
      if (this.#refused(connection, length)) return;
      if (length === 0 || at + length > to) {
        this.#beginCarry(connection, bytes, at, to, length);
        return;
      }
      const packet = bytes.subarray(at, at + length);
      const done = handlePacket(hub, connection, packet, headerLength(bytes, at));
      if (done) at += length;
      if (connection.blocked && at < to) {
        this.#hold(connection, bytes, at, to);
        return;
      }
    }
  }

  /** The first packet is a CONNECT [MQTT-3.1.0-1]; whoever starts another one gets no answer. */
  #isNoConnect(connection: Connection, first: number): boolean {
    if (connection.state !== ConnectionState.awaitingConnect) return false;
    if (first >> 4 === PacketType.connect) return false;
    this.#hub.metrics.connectionsRefused.inc({ protocol: 'mqtt', reason: 'malformed' });
    connection.finish('protocolError');
    return true;
  }

  /** Decides on a packet by its declared length alone; true when the connection is closed. */
  #refused(connection: Connection, length: number): boolean {
    if (length === malformed) {
      connection.disconnect(ReasonCode.malformedPacket, 'malformed');
      return true;
    }
    const max =
      connection.state === ConnectionState.awaitingConnect
        ? limits.unauthenticatedBytesMax
        : this.#hub.options.packetBytesMax;
    if (length <= max) return false;
    const text = `a packet of ${length} bytes; the maximum is ${max}`;
    connection.disconnect(ReasonCode.packetTooLarge, 'oversize', text);
    return true;
  }

  // ── carry ─────────────────────────────────────────────────────────────────────────────────────

  #beginCarry(connection: Connection, bytes: Buffer, at: number, to: number, length: number): void {
    const size = length === 0 ? headerBytesMax : length;
    if (!this.#hub.carryBudget.tryTake(size)) {
      this.#hold(connection, bytes, at, to);
      this.#hub.waitForCarry(connection);
      return;
    }
    const carry = Buffer.allocUnsafe(size);
    connection.carry = carry;
    connection.carryTotal = length;
    connection.carryUsed = bytes.copy(carry, 0, at, to);
    // From here the packet has as long as any silence may last.
    connection.since = this.#hub.now;
  }

  /** Fills the carry from the read; returns where the read goes on after it. */
  #continueCarry(
    connection: Connection,
    carry: Buffer,
    bytes: Buffer,
    from: number,
    to: number,
  ): number {
    if (connection.carryTotal === 0)
      return this.#continueHeader(connection, carry, bytes, from, to);
    const missing = connection.carryTotal - connection.carryUsed;
    const taken = Math.min(missing, to - from);
    bytes.copy(carry, connection.carryUsed, from, from + taken);
    connection.carryUsed += taken;
    if (taken < missing) return to;
    this.#releaseCarry(connection);
    this.#packets(connection, carry, viewOf(carry), 0, carry.length);
    return from + taken;
  }

  /** The length of the carried packet is not known yet: at most four more bytes tell it. */
  #continueHeader(
    connection: Connection,
    header: Buffer,
    bytes: Buffer,
    from: number,
    to: number,
  ): number {
    const used = connection.carryUsed;
    const added = bytes.copy(header, used, from, Math.min(to, from + headerBytesMax - used));
    const length = packetLength(header, 0, used + added);
    if (length === 0) {
      connection.carryUsed = used + added;
      return to;
    }
    this.#releaseCarry(connection);
    if (this.#refused(connection, length)) return to;
    // Join header and read only as far as the packet goes, then it is an ordinary carry.
    const needed = Math.min(to - from, length - used);
    const joined = Buffer.concat([header.subarray(0, used), bytes.subarray(from, from + needed)]);
    this.#packets(connection, joined, viewOf(joined), 0, joined.length);
    return from + needed;
  }

  #releaseCarry(connection: Connection): void {
    const carry = connection.carry;
    if (carry === undefined) return;
    connection.carry = undefined;
    connection.carryUsed = 0;
    connection.carryTotal = 0;
    this.#hub.carryBudget.release(carry.length);
  }

  // ── held ──────────────────────────────────────────────────────────────────────────────────────

  /** Keeps a copy of `bytes[from, to)` behind what is held already. */
  #hold(connection: Connection, bytes: Buffer, from: number, to: number): void {
    const before = connection.held;
    if (bytes === this.#resuming && before === undefined) {
      this.#keepHeld(connection, bytes, from, to);
      return;
    }
    const held = Buffer.allocUnsafeSlow(connection.heldTo - connection.heldFrom + to - from);
    let at = 0;
    if (before !== undefined) {
      at = before.copy(held, 0, connection.heldFrom, connection.heldTo);
      this.#releaseHeld(connection);
    }
    bytes.copy(held, at, from, to);
    this.#keepHeld(connection, held, 0, held.length);
    if (held.length > heldMaxOf(connection)) {
      connection.disconnect(ReasonCode.quotaExceeded, 'quota');
      return;
    }
    if (this.#hub.heldBudget.exceeded) this.#hub.onMemoryExceeded();
  }

  #keepHeld(connection: Connection, held: Buffer, from: number, to: number): void {
    connection.held = held;
    connection.heldFrom = from;
    connection.heldTo = to;
    this.#hub.heldBudget.take(held.length);
  }

  #releaseHeld(connection: Connection): void {
    const held = connection.held;
    if (held === undefined) return;
    connection.held = undefined;
    connection.heldFrom = 0;
    connection.heldTo = 0;
    this.#hub.heldBudget.release(held.length);
  }

  #fail(connection: Connection, thrown: unknown): void {
    this.#hub.logger.error('mqtt_internal_error', {
      error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
    });
    connection.finish('internalError');
  }
}

/**
 * A paused socket delivers nothing, so more than a read is only held when a carrier cannot pause at
 * once; it may be trusted with a packet of the largest size, a peer without CONNACK with less.
 */
function heldMaxOf(connection: Connection): number {
  if (connection.state !== ConnectionState.connected) return limits.bytesBeforeConnackMax;
  return connection.hub.options.packetBytesMax + limits.bytesBeforeConnackMax;
}

/** A view for `scan` over bytes that are not the shared read buffer. */
function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The length of the packet that starts at `at`, fixed header included; 0 when its header is cut, or
 * `malformed` when the remaining length has more than four bytes (5.0 §1.5.5) or the packet type is
 * 0, which tells a peer that speaks something else early.
 */
function packetLength(bytes: Uint8Array, at: number, to: number): number {
  if (bytes[at]! < 0x10) return malformed;
  let length = 0;
  for (let index = 1; index < headerBytesMax; index++) {
    if (at + index >= to) return 0;
    const byte = bytes[at + index]!;
    length += (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return length + index + 1;
  }
  return malformed;
}

/** Bytes of the fixed header at `at`, whose length is complete. */
function headerLength(bytes: Uint8Array, at: number): number {
  let index = 1;
  while (bytes[at + index]! >= 0x80) index += 1;
  return index + 1;
}
