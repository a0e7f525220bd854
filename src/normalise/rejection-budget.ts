import { limits } from '../core/limits.js';

const minuteMs = 60_000;
const slots = 16 * 1024;

/**
 * How many rejected messages of a device are kept in the current minute: at most
 * `rejectedPerDevicePerMinuteMax`, so that a device that sends nothing but rubbish fills no disk.
 *
 * At most `rejectedDevicesTrackedMax` devices are told apart; those beyond share one budget. What a
 * minute can store is therefore `(devices tracked + 1) × budget`, per worker.
 */
export class RejectionBudget {
  readonly #devices: Uint32Array;
  readonly #counts: Uint16Array;
  #tracked: number;
  #shared: number;
  #minute: number;

  constructor() {
    this.#devices = new Uint32Array(slots * 4);
    this.#counts = new Uint16Array(slots);
    this.#tracked = 0;
    this.#shared = 0;
    this.#minute = -1;
  }

  /**
   * Takes one from the budget of the device whose four words begin at `at`; false: it is used up.
   */
  take(words: Uint32Array, at: number, nowMs: number): boolean {
    const minute = Math.floor(nowMs / minuteMs);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#counts.fill(0);
      this.#tracked = 0;
      this.#shared = 0;
    }
    const slot = this.#slotOf(words, at);
    if (slot < 0) {
      this.#shared += 1;
      return this.#shared <= limits.rejectedPerDevicePerMinuteMax;
    }
    const count = this.#counts[slot]!;
    if (count >= limits.rejectedPerDevicePerMinuteMax) return false;
    this.#counts[slot] = count + 1;
    return true;
  }

  /** The device's slot, taken if need be, or -1 when as many as may be are taken. */
  #slotOf(words: Uint32Array, at: number): number {
    const devices = this.#devices;
    // Ids are random by construction, so their bits need no mixing.
    let slot = (words[at]! ^ words[at + 3]!) & (slots - 1);
    while (this.#counts[slot] !== 0) {
      const base = slot * 4;
      if (
        devices[base] === words[at] &&
        devices[base + 1] === words[at + 1] &&
        devices[base + 2] === words[at + 2] &&
        devices[base + 3] === words[at + 3]
      ) {
        return slot;
      }
      slot = (slot + 1) & (slots - 1);
    }
    if (this.#tracked >= limits.rejectedDevicesTrackedMax) return -1;
    this.#tracked += 1;
    devices.set(words.subarray(at, at + 4), slot * 4);
    return slot;
  }
}
