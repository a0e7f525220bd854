import { Failure } from './failure.js';

/** What this process uses of a chDB session. One session runs one statement at a time. */
export interface EngineSession {
  queryAsync(sql: string, options: { format: string }): Promise<EngineResult>;
  queryStream(sql: string, options: { format: string }): EngineStream;
  close(): void;
}

export interface EngineResult {
  /** Seconds. */
  readonly elapsed: number;
  /** Rows of the result, or rows read from the file of an INSERT. */
  readonly rowsRead: number;
  readonly bytesRead: number;
  bytes(): Uint8Array;
}

export interface EngineStream extends AsyncIterable<{ raw(): Uint8Array }> {
  cancel(): void;
}

/** What a request asks of the session it runs in. */
export interface SessionState {
  readonly database: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, string>;
  /** Refuse writes, as ClickHouse does for GET. */
  readonly readonly: boolean;
}

const idleMax = 8;
/** A closed session costs about 140 KB until the queries beside it end: 512 are 70 MB. */
const lingeringMax = 512;
const tooManyQueries = 202;

/** Settings that change others or cannot be put back: their session is not used again. */
const lasting = new Set(['readonly', 'profile', 'compatibility', 'allow_ddl']);

/**
 * Sessions of the engine, so that a setting of one request never reaches another: SET is sticky in
 * a session. A session is used again only when everything a request set in it was put back.
 *
 *     acquire ─► USE, SET … ─► lease.session ─► release ─► SET back ─► idle
 *                                                  └─ when in doubt ─► closed
 *
 * `base` are the values the engine was configured with: `SET x = DEFAULT` would not return to them.
 */
export class SessionPool {
  readonly #open: () => EngineSession;
  readonly #base: ReadonlyMap<string, string>;
  readonly #idle: Lease[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #lingering = 0;

  constructor(open: () => EngineSession, base: ReadonlyMap<string, string>) {
    this.#open = open;
    this.#base = base;
  }

  /** A session in the state that was asked for. Throws the engine's error for a bad setting. */
  async acquire(state: SessionState): Promise<Lease> {
    if (this.#lingering >= lingeringMax && isLasting(state)) {
      throw new Failure(
        tooManyQueries,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `Too many sessions wait for a running query to end. Maximum: ${lingeringMax}`,
      );
    }
    const lease = this.#take(state) ?? new Lease(this.#open());
    try {
      if (state.database !== lease.database) {
        await this.run(lease, `USE ${quoteName(state.database)}`);
        lease.database = state.database;
      }
      const assignments = [
        ...[...state.settings].map(([name, value]) => `${name} = ${quoteText(value)}`),
        ...[...state.parameters].map(([name, value]) => `param_${name} = ${quoteText(value)}`),
      ];
      // Last, because it may forbid to change what comes before it.
      if (state.readonly && !state.settings.has('readonly')) assignments.push('readonly = 2');
      if (assignments.length > 0) await this.run(lease, `SET ${assignments.join(', ')}`);
    } catch (error) {
      this.#close(lease);
      throw error;
    }
    for (const name of state.parameters.keys()) lease.parameters.add(name);
    return lease;
  }

  /** Runs one statement in a leased session and keeps account of it until it ends. */
  run(lease: Lease, sql: string, format = 'TabSeparated'): Promise<EngineResult> {
    return this.track(lease.session.queryAsync(sql, { format }));
  }

  /** Everything that runs in the engine must be told here: see `lingeringMax`. */
  track<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running);
    const forget = (): void => {
      this.#running.delete(running);
    };
    running.then(forget, forget);
    return running;
  }

  /** Gives a session back. `clean` is false when the statement itself may have changed it. */
  async release(lease: Lease, state: SessionState, clean: boolean): Promise<void> {
    if (!clean || isLasting(state) || this.#idle.length >= idleMax) {
      this.#close(lease);
      return;
    }
    try {
      const back = [...state.settings.keys()].map((name) => {
        const value = this.#base.get(name);
        return `${name} = ${value === undefined ? 'DEFAULT' : quoteText(value)}`;
      });
      if (back.length > 0) await this.run(lease, `SET ${back.join(', ')}`);
      this.#idle.push(lease);
    } catch {
      this.#close(lease);
    }
  }

  /** Ends when no statement runs any more. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
    for (const lease of this.#idle.splice(0)) lease.session.close();
  }

  /** An idle session that holds no parameter which this request would not overwrite. */
  #take(state: SessionState): Lease | undefined {
    for (let at = this.#idle.length - 1; at >= 0; at -= 1) {
      const lease = this.#idle[at];
      if (lease === undefined) continue;
      let fits = true;
      for (const name of lease.parameters) fits = fits && state.parameters.has(name);
      if (fits) return this.#idle.splice(at, 1)[0];
    }
    const oldest = this.#idle.length >= idleMax ? this.#idle.shift() : undefined;
    if (oldest !== undefined) this.#close(oldest);
    return undefined;
  }

  /** chDB keeps a closed session until all that runs at this moment in any session has ended. */
  #close(lease: Lease): void {
    lease.session.close();
    if (this.#running.size === 0) return;
    this.#lingering += 1;
    void Promise.allSettled([...this.#running]).then(() => {
      this.#lingering -= 1;
    });
  }
}

/** One session and what was left in it. */
export class Lease {
  readonly session: EngineSession;
  readonly parameters = new Set<string>();
  database = '';

  constructor(session: EngineSession) {
    this.session = session;
  }
}

function isLasting(state: SessionState): boolean {
  if (state.readonly) return true;
  for (const name of state.settings.keys()) if (lasting.has(name)) return true;
  return false;
}

/** A string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** An identifier. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
