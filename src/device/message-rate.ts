import type { DeviceId } from '../core/ids.js';
import { limits } from '../core/limits.js';

/**
 * A token bucket: `0 ≤ tokens ≤ burst`, refilled by the monotonic clock. Times in milliseconds.
 */
export class TokenBucket {
  readonly #perMillisecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMillisecond = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Whole messages that may be taken now. */
  available(now: number): number {
    const elapsed = now - this.#at;
    if (elapsed > 0) {
      this.#at = now;
      this.#tokens = Math.min(this.#burst, this.#tokens + elapsed * this.#perMillisecond);
    }
    return Math.floor(this.#tokens);
  }

  /** Takes what `available` allowed. */
  spend(messages: number): void {
    this.#tokens -= messages;
  }

  /** Milliseconds until one more message may be taken; 0 when it may be now. */
  waitMs(now: number): number {
    if (this.available(now) >= 1) return 0;
    return (1 - this.#tokens) / this.#perMillisecond;
  }

  /** True when nothing would be lost by forgetting the bucket. */
  full(now: number): boolean {
    return this.available(now) >= Math.floor(this.#burst);
  }
}

/**
 * The message rate of every device that was connected lately, over all its sessions and protocols.
 * A bucket outlives the connection, so that a device gains nothing by connecting again; full ones
 * are forgotten.
 */
export class MessageRates {
  /** 0 is no limit. */
  readonly perSecond: number;
  readonly #burst: number;
  readonly #buckets: Map<DeviceId, TokenBucket>;

  /** `perSecond` 0 is no limit. The burst is at least a second's worth. */
  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond;
    this.#burst = Math.max(burst, perSecond, 1);
    this.#buckets = new Map();
  }

  /** The device's bucket, shared by all its sessions; undefined when there is no limit. */
  of(id: DeviceId, now: number): TokenBucket | undefined {
    if (this.perSecond <= 0) return undefined;
    let bucket = this.#buckets.get(id);
    if (bucket === undefined) {
      if (this.#buckets.size >= limits.messageRatesTrackedMax) this.#forgetFull(now);
      bucket = new TokenBucket(this.perSecond, this.#burst, now);
      this.#buckets.set(id, bucket);
    }
    return bucket;
  }

  /** Makes room; when no bucket is full the oldest goes, its device starts with a full one. */
  #forgetFull(now: number): void {
    for (const [id, bucket] of this.#buckets) if (bucket.full(now)) this.#buckets.delete(id);
    if (this.#buckets.size < limits.messageRatesTrackedMax) return;
    for (const id of this.#buckets.keys()) {
      this.#buckets.delete(id);
      return;
    }
  }
}
