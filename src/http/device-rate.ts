import type { DeviceId } from '../core/ids.js';
import { limits } from '../core/limits.js';

interface Bucket {
  tokens: number;
  /** Monotonic milliseconds when `tokens` was true. */
  at: number;
}

/**
 * How many messages each device may send: a bucket of `burst` messages that refills at
 * `messagesPerSecond`. A device that is not known here has a full bucket, so forgetting one only
 * ever lets more through; above the maximum the device met longest ago is forgotten.
 */
export class DeviceRate {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #buckets: Map<DeviceId, Bucket>;

  /** The burst is at least one second's worth. */
  constructor(messagesPerSecond: number, burst: number) {
    this.#perMs = messagesPerSecond / 1000;
    this.#burst = Math.max(1, burst, messagesPerSecond);
    this.#buckets = new Map();
  }

  /** Takes one message: 0 when it may pass, else the milliseconds until one may. */
  take(device: DeviceId, now: number): number {
    let bucket = this.#buckets.get(device);
    if (bucket === undefined) {
      bucket = { tokens: this.#burst, at: now };
      this.#remember(device, bucket);
    }
    const refilled = bucket.tokens + (now - bucket.at) * this.#perMs;
    bucket.tokens = Math.min(refilled, this.#burst);
    bucket.at = now;
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#perMs;
    bucket.tokens -= 1;
    return 0;
  }

  /** Forgets the devices whose bucket is full again; called now and then. */
  sweep(now: number): void {
    for (const [device, bucket] of this.#buckets) {
      if (bucket.tokens + (now - bucket.at) * this.#perMs >= this.#burst) {
        this.#buckets.delete(device);
      }
    }
  }

  get size(): number {
    return this.#buckets.size;
  }

  #remember(device: DeviceId, bucket: Bucket): void {
    if (this.#buckets.size >= limits.httpRatedDevicesMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    this.#buckets.set(device, bucket);
  }
}
