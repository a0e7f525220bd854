import { limits } from '../core/limits.js';
import type { CredentialCache } from '../registry/credential-cache.js';
import type { Device } from '../registry/device.js';

/** What the protocol needs of the credential cache. */
export type TokenSource = Pick<CredentialCache, 'peekToken' | 'resolveToken'>;

/** Called with the device, null for an unknown token, or undefined when the registry failed. */
export type Found = (device: Device | null | undefined) => void;

/**
 * Access tokens that are not in the credential cache, asked of the registry a few at a time.
 *
 * After a restart every device connects at once and none is cached. Without a limit that is one
 * query per device in a single turn of the event loop; here `credentialLookupsMax` are under way
 * and each turn starts the next ones, so that sockets are served in between. Those that wait are at
 * most `waitingMax`.
 */
export class Lookups {
  readonly #credentials: TokenSource;
  readonly #waitingMax: number;
  readonly #queue: { readonly token: string; readonly found: Found }[];
  #head: number;
  #underWay: number;
  #scheduled: boolean;

  constructor(credentials: TokenSource, waitingMax: number) {
    this.#credentials = credentials;
    this.#waitingMax = waitingMax;
    this.#queue = [];
    this.#head = 0;
    this.#underWay = 0;
    this.#scheduled = false;
  }

  /** Calls `found` later, never at once; false when too many wait already. */
  ask(token: string, found: Found): boolean {
    if (this.#queue.length - this.#head >= this.#waitingMax) return false;
    this.#queue.push({ token, found });
    this.#start();
    return true;
  }

  #start(): void {
    while (this.#underWay < limits.credentialLookupsMax && this.#head < this.#queue.length) {
      const next = this.#queue[this.#head];
      this.#head += 1;
      if (next === undefined) continue;
      this.#underWay += 1;
      // Never rejects: both outcomes are told to `found`.
      void this.#ask(next.token, next.found);
    }
    if (this.#head > 0 && this.#head >= this.#queue.length / 2) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }

  async #ask(token: string, found: Found): Promise<void> {
    let device: Device | null | undefined;
    try {
      device = await this.#credentials.resolveToken(token);
      // What changed while we asked is in the cache already.
      const fresh = this.#credentials.peekToken(token);
      if (fresh !== undefined) device = fresh;
    } catch {
      device = undefined;
    }
    this.#underWay -= 1;
    this.#schedule();
    found(device);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }
}
