import { assert } from '../core/assert.js';
import { messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { ChangePage, Registry } from './registry.js';

const pageRows = 500;
const retryMs = 1_000;

/**
 * Reads a registry's change feed from now on and hands every page to `apply`, in order and one at a
 * time. The position moves on when `apply` has resolved: after a failure the same page comes again.
 */
export class ChangeFollower {
  readonly #logger: Logger;
  readonly #registry: Pick<Registry, 'lastChange' | 'changes' | 'watch'>;
  readonly #apply: (page: ChangePage) => Promise<void>;
  /** Undefined before `start` and after `close`. */
  #seq: number | undefined;
  #reading: boolean;
  /** True while the feed may hold something that was not applied. */
  #behind: boolean;
  #unwatch: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    logger: Logger,
    registry: Pick<Registry, 'lastChange' | 'changes' | 'watch'>,
    apply: (page: ChangePage) => Promise<void>,
  ) {
    this.#logger = logger;
    this.#registry = registry;
    this.#apply = apply;
    this.#seq = undefined;
    this.#reading = false;
    this.#behind = false;
    this.#unwatch = () => {};
    this.#timer = undefined;
  }

  get started(): boolean {
    return this.#seq !== undefined;
  }

  /** Rejects with SLUICE_REGISTRY_FAILED when the feed cannot be read. */
  async start(): Promise<void> {
    assert(this.#seq === undefined, 'a follower starts once');
    this.#seq = await this.#registry.lastChange();
    this.#unwatch = this.#registry.watch(() => this.#follow());
    this.#timer = setInterval(() => {
      if (this.#behind) this.#follow();
    }, retryMs).unref();
  }

  close(): void {
    this.#seq = undefined;
    this.#unwatch();
    clearInterval(this.#timer);
  }

  #follow(): void {
    this.#behind = true;
    if (this.#reading) return;
    this.#reading = true;
    this.#read()
      .catch((error: unknown) => {
        this.#behind = true;
        this.#logger.limited('registry.follow_failed', { reason: messageOf(error) });
      })
      .finally(() => {
        this.#reading = false;
      });
  }

  async #read(): Promise<void> {
    while (this.#behind && this.#seq !== undefined) {
      this.#behind = false;
      const since = this.#seq;
      // Read before the page: what comes after it is seen in the next round.
      const last = await this.#registry.lastChange();
      const page = await this.#registry.changes(since, pageRows);
      const end = page.gap ? last : page.changes.at(-1)?.seq;
      if (end === undefined) continue;
      await this.#apply(page);
      if (this.#seq === undefined) return;
      this.#seq = end;
      this.#behind = true;
      // A long import is read between other work, not instead of it.
      await new Promise((resume) => setImmediate(resume));
    }
  }
}
