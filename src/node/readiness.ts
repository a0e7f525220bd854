import type { Clock } from '../core/clock.js';
import type { Dependency, ReadinessSource } from '../http/ops.js';
import type { Storage } from '../ingest/storage.js';
import type { Journal } from '../journal/journal.js';

/** What `/readyz` tells: whether messages can be accepted and made durable, and if not, why. */
export class Readiness implements ReadinessSource {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #since: Map<string, { ok: boolean; at: number }>;
  #storage: Storage | undefined;
  /** Set once the listeners are open, cleared when the node is told to stop. */
  serving: boolean;

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
    this.#since = new Map();
    this.#storage = undefined;
    this.serving = false;
  }

  watch(storage: Storage): void {
    this.#storage = storage;
  }

  dependencies(): readonly Dependency[] {
    const journal = this.#journal.ready();
    const storage = this.#storage?.state() ?? { ok: false, detail: 'starting' };
    return [
      this.#dependency(
        'node',
        this.serving,
        this.serving ? 'serving' : 'starting or stopping',
        true,
      ),
      this.#dependency('journal', journal.ready, journal.reason ?? 'accepts messages', true),
      this.#dependency('clickhouse', storage.ok, storage.detail, false),
    ];
  }

  #dependency(name: string, ok: boolean, detail: string, required: boolean): Dependency {
    const known = this.#since.get(name);
    const state = known?.ok === ok ? known : { ok, at: this.#clock.now() };
    this.#since.set(name, state);
    return { name, ok, sinceMs: state.at, detail, required };
  }
}
