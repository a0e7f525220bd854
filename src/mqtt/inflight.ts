import { assert } from '../core/assert.js';
import { limits } from '../core/limits.js';

/** What is known of a packet identifier of a QoS 2 message that a client sent. */
export const ReceivedState = { none: 0, pending: 1, received: 2 } as const;
export type ReceivedState = (typeof ReceivedState)[keyof typeof ReceivedState];

/** A full table: two bits for each of the 65,536 packet identifiers. */
const tableBytes = 65_536 / 4;

/**
 * The QoS 2 packet identifiers of one connection, from PUBLISH until PUBREL: a repeated one is not
 * stored twice [MQTT-4.3.3-10].
 *
 *     none ──PUBLISH──► pending ──durable, PUBREC──► received ──PUBREL, PUBCOMP──► none
 *
 * A 5.0 client is held to its Receive Maximum. 3.x has no such word, and a client that sends its
 * backlog at once is not wrong: above `inflightQos2Max` the map becomes a table of 16 KiB that
 * holds them all, so the memory is bounded by the size of the identifier space.
 */
export class ReceivedIdentifiers {
  #sparse: Map<number, ReceivedState> | undefined;
  #table: Uint8Array | undefined;
  #count: number;

  constructor() {
    this.#sparse = new Map();
    this.#table = undefined;
    this.#count = 0;
  }

  /** Identifiers that are known: they count against the Receive Maximum until PUBREL. */
  get count(): number {
    return this.#count;
  }

  get(identifier: number): ReceivedState {
    if (this.#sparse !== undefined) return this.#sparse.get(identifier) ?? ReceivedState.none;
    const bits = (this.#table?.[identifier >> 2] ?? 0) >> ((identifier & 3) * 2);
    return (bits & 3) as ReceivedState;
  }

  set(identifier: number, state: ReceivedState): void {
    const before = this.get(identifier);
    if (before === ReceivedState.none && state !== ReceivedState.none) this.#count += 1;
    if (before !== ReceivedState.none && state === ReceivedState.none) this.#count -= 1;
    if (this.#count > limits.inflightQos2Max && this.#sparse !== undefined)
      this.#spread(this.#sparse);
    if (this.#sparse !== undefined) {
      if (state === ReceivedState.none) this.#sparse.delete(identifier);
      else this.#sparse.set(identifier, state);
    } else {
      this.#write(identifier, state);
    }
  }

  #spread(sparse: Map<number, ReceivedState>): void {
    this.#sparse = undefined;
    this.#table = new Uint8Array(tableBytes);
    for (const [identifier, state] of sparse) this.#write(identifier, state);
  }

  #write(identifier: number, state: ReceivedState): void {
    const table = this.#table;
    assert(table !== undefined, 'the identifiers are in the map or in the table');
    const shift = (identifier & 3) * 2;
    const rest = (table[identifier >> 2] ?? 0) & ~(3 << shift);
    table[identifier >> 2] = rest | (state << shift);
  }
}

/** Called once with the client's reason code, or -1 when the connection ended without one. */
export type Acknowledged = (reasonCode: number) => void;

/**
 * The packet identifiers of QoS 1 messages sent to a client and not yet acknowledged: 1 … 65,535 in
 * turn, never one that is in flight [MQTT-2.2.1-3].
 */
export class SentIdentifiers {
  readonly #waiting: Map<number, Acknowledged | undefined>;
  #last: number;

  constructor() {
    this.#waiting = new Map();
    this.#last = 0;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** The next free packet identifier, marked in flight. At most 65,534 may be in flight. */
  take(acknowledged: Acknowledged | undefined): number {
    assert(this.#waiting.size < 65_535, 'a packet identifier is free');
    let identifier = this.#last;
    do {
      identifier = identifier >= 65_535 ? 1 : identifier + 1;
    } while (this.#waiting.has(identifier));
    this.#last = identifier;
    this.#waiting.set(identifier, acknowledged);
    return identifier;
  }

  /** Frees an identifier; false when it was not in flight. */
  release(identifier: number, reasonCode: number): boolean {
    if (!this.#waiting.has(identifier)) return false;
    const acknowledged = this.#waiting.get(identifier);
    this.#waiting.delete(identifier);
    acknowledged?.(reasonCode);
    return true;
  }

  /** Frees an identifier whose message was not sent after all; nobody is told. */
  forget(identifier: number): void {
    this.#waiting.delete(identifier);
  }

  /** The connection ended: whoever waits learns that no acknowledgement will come. */
  abandon(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const acknowledged of waiting) acknowledged?.(-1);
  }
}
