import { assert } from '../core/assert.js';
import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import type { DeviceId } from '../core/ids.js';
import type { Logger } from '../core/logger.js';
import type { Metrics } from '../core/metrics.js';
import { ChangeFollower } from './change-follower.js';
import { createDevice, type Device } from './device.js';
import type { ProfileId } from './profile.js';
import type { ChangePage, CredentialMatch, Registry } from './registry.js';
import { SecondChanceMap } from './second-chance-map.js';
import { tokenHash } from './token.js';

export interface CredentialCacheOptions {
  /** `limits.credentialCacheEntriesMax` */
  readonly entriesMax: number;
  /** `limits.credentialNegativeEntriesMax` */
  readonly negativeEntriesMax: number;
  /** `limits.credentialNegativeMs` */
  readonly negativeMs: number;
  /** `limits.tokenBytesMax`: a longer token is nobody's. */
  readonly tokenBytesMax: number;
}

/** The part of the registry that the cache needs. */
export type CredentialSource = Pick<
  Registry,
  | 'findCredential'
  | 'findDevices'
  | 'listDevices'
  | 'listProfiles'
  | 'lastChange'
  | 'changes'
  | 'changedDevices'
  | 'watch'
>;

export type DeviceListener = (
  id: DeviceId,
  device: Device | undefined,
  credentials: boolean,
) => void;

interface Entry {
  readonly device: Device;
  /** Milliseconds since 1970; Infinity when it never ends. */
  readonly notAfter: number;
  used: boolean;
}

const pageRows = 500;
/** A look-up that a change overtakes is repeated; this many changes in a row are no accident. */
const triesMax = 5;
const flushMs = 1_000;
const loneSurrogate = /\p{Cs}/u;

/**
 * @hot Who a token belongs to, answered from memory. Stands between the protocols and the registry,
 * so that a reconnect storm or a flood of wrong tokens asks the database once per token.
 *
 * Invariants: known ≤ entriesMax, unknown ≤ negativeEntriesMax, and no entry is older than the last
 * change that was read from the registry's feed (within 0.5 s of its commit).
 *
 * The maps are keyed by the token itself. What their timing tells is nothing to work with: a
 * look-up hashes all characters with a seed drawn at process start and compares characters only
 * with a key of the same hash, so a guess that shares its first characters with a real token takes
 * the same path as one that does not. Tokens that are not in memory are compared as SHA-256 by the
 * database.
 */
export class CredentialCache {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #options: CredentialCacheOptions;
  readonly #registry: CredentialSource;

  readonly #known: SecondChanceMap<Entry>;
  /** The tokens in `#known` of each device. */
  readonly #tokens: Map<DeviceId, string[]>;
  /** Two generations: when the young is full the old is dropped, whatever the flood. */
  #unknown: Map<string, number>;
  #unknownOld: Map<string, number>;
  /** At most one per token; their number is bounded by the connections that wait. */
  readonly #asked: Map<string, Promise<Device | null>>;
  readonly #listeners: DeviceListener[];

  readonly #follower: ChangeFollower;
  /** Counts pages of changes, to tell whether one overtook a look-up. */
  #round: number;
  /** Round of the latest change of a device; only kept while look-ups are under way. */
  readonly #changedIn: Map<DeviceId, number>;
  #allChangedIn: number;
  #timer: NodeJS.Timeout | undefined;
  #hits: number;
  #misses: number;

  constructor(
    clock: Clock,
    logger: Logger,
    metrics: Metrics,
    options: CredentialCacheOptions,
    registry: CredentialSource,
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#options = options;
    this.#registry = registry;
    this.#known = new SecondChanceMap(options.entriesMax, (token, entry) => {
      this.#unlink(token, entry.device.id);
    });
    this.#tokens = new Map();
    this.#unknown = new Map();
    this.#unknownOld = new Map();
    this.#asked = new Map();
    this.#listeners = [];
    this.#follower = new ChangeFollower(logger, registry, (page) => this.#apply(page));
    this.#round = 0;
    this.#changedIn = new Map();
    this.#allChangedIn = 0;
    this.#timer = undefined;
    this.#hits = 0;
    this.#misses = 0;
  }

  /** Begins to follow the registry's changes; call once, before the first look-up. */
  async start(): Promise<void> {
    await this.#follower.start();
    this.#timer = setInterval(() => this.flushMetrics(), flushMs).unref();
  }

  close(): void {
    this.#follower.close();
    clearInterval(this.#timer);
    this.flushMetrics();
  }

  /**
   * The device of a token, null when the token is known to be nobody's, undefined when the registry
   * must be asked. A disabled device is returned: the protocol answers for that.
   */
  peekToken(token: string): Device | null | undefined {
    const entry = this.#known.get(token);
    if (entry !== undefined) {
      if (entry.notAfter !== Number.POSITIVE_INFINITY && entry.notAfter <= this.#clock.now()) {
        this.#forget(token, entry.device.id);
        return undefined;
      }
      entry.used = true;
      this.#hits += 1;
      return entry.device;
    }
    if (token.length === 0 || token.length > this.#options.tokenBytesMax) return null;
    const until = this.#unknown.get(token) ?? this.#unknownOld.get(token);
    if (until === undefined || until <= this.#clock.monotonic()) return undefined;
    this.#hits += 1;
    return null;
  }

  /**
   * Like `peekToken`, but asks the registry when memory does not know. Any number of callers with
   * one token make one look-up. Rejects with SLUICE_REGISTRY_FAILED when it is out of reach.
   */
  resolveToken(token: string): Promise<Device | null> {
    assert(this.#follower.started, 'a credential cache is started before it is asked');
    const peeked = this.peekToken(token);
    if (peeked !== undefined) return Promise.resolve(peeked);
    const asked = this.#asked.get(token);
    if (asked !== undefined) return asked;
    this.#misses += 1;
    const answer = this.#ask(token).finally(() => {
      this.#asked.delete(token);
      if (this.#asked.size === 0) this.#changedIn.clear();
    });
    this.#asked.set(token, answer);
    return answer;
  }

  /**
   * `listener` is called within one second of any change of a device, its credentials or its
   * profile, by whichever process: `device` is its new state, undefined when it was deleted;
   * `credentials` is true when one of its credentials ended. A session that still has its token may
   * ask `resolveToken` whether it was that one. Devices just made are not told: nobody uses them.
   */
  onChange(listener: DeviceListener): void {
    this.#listeners.push(listener);
  }

  /** Adds what was counted to the metrics; also done every second. */
  flushMetrics(): void {
    this.#metrics.credentialCacheHits.inc(this.#hits);
    this.#metrics.credentialCacheMisses.inc(this.#misses);
    this.#hits = 0;
    this.#misses = 0;
  }

  /** Entries in memory, for tests of the bounds. */
  sizes(): { known: number; unknown: number; devices: number } {
    return {
      known: this.#known.size,
      unknown: this.#unknown.size + this.#unknownOld.size,
      devices: this.#tokens.size,
    };
  }

  async #ask(token: string): Promise<Device | null> {
    // Not a Unicode text: its UTF-8 would be that of another token.
    if (loneSurrogate.test(token)) return null;
    const hash = tokenHash(token);
    for (let tries = 0; tries < triesMax; tries += 1) {
      const round = this.#round;
      const match = await this.#registry.findCredential(hash);
      if (match === undefined) {
        if (round === this.#round) this.#rememberUnknown(token);
        return null;
      }
      const changedIn = this.#changedIn.get(match.device.id) ?? 0;
      if (Math.max(changedIn, this.#allChangedIn) > round) continue;
      return this.#remember(token, match);
    }
    throw new NodeError(
      'SLUICE_REGISTRY_FAILED',
      'cannot look up a credential: its device keeps changing',
    );
  }

  #remember(token: string, match: CredentialMatch): Device {
    const device = createDevice(match.device);
    // The key must own its characters: a slice of a request would keep the whole request.
    const key = Buffer.from(token, 'utf8').toString('utf8');
    const notAfter = match.notAfter ?? Number.POSITIVE_INFINITY;
    this.#known.set(key, { device, notAfter, used: false });
    const tokens = this.#tokens.get(device.id);
    if (tokens === undefined) this.#tokens.set(device.id, [key]);
    else if (!tokens.includes(key)) tokens.push(key);
    return device;
  }

  #rememberUnknown(token: string): void {
    if (this.#unknown.size >= this.#options.negativeEntriesMax >> 1) {
      this.#unknownOld = this.#unknown;
      this.#unknown = new Map();
    }
    const key = Buffer.from(token, 'utf8').toString('utf8');
    this.#unknown.set(key, this.#clock.monotonic() + this.#options.negativeMs);
  }

  #forget(token: string, id: DeviceId): void {
    this.#known.delete(token);
    this.#unlink(token, id);
  }

  #unlink(token: string, id: DeviceId): void {
    const tokens = this.#tokens.get(id);
    if (tokens === undefined) return;
    const rest = tokens.filter((other) => other !== token);
    if (rest.length === 0) this.#tokens.delete(id);
    else this.#tokens.set(id, rest);
  }

  async #apply(page: ChangePage): Promise<void> {
    this.#round += 1;
    if (page.gap) return this.#assumeEverything();
    /** Devices that changed, and whether a credential of theirs ended. */
    const changed = new Map<DeviceId, boolean>();
    const profiles = new Set<ProfileId>();
    let admitted = false;
    for (const change of page.changes) {
      if (change.entity === 'profile') {
        // One just created or deleted is no device's.
        if (change.kind === 'updated') profiles.add(change.id);
        continue;
      }
      if (change.kind === 'created' || change.kind === 'added') admitted = true;
      if (change.kind === 'created') continue;
      const ended = change.kind === 'removed' || change.kind === 'deleted';
      changed.set(change.id, ended || changed.get(change.id) === true);
    }
    if (admitted) this.#forgetUnknown();
    await this.#tell(changed);
    if (profiles.size > 0) await this.#tellProfiles(profiles);
  }

  /** Entries go first, so that nobody gets an old one while the new state is read. */
  async #tell(changed: ReadonlyMap<DeviceId, boolean>): Promise<void> {
    if (changed.size === 0) return;
    for (const id of changed.keys()) {
      if (this.#asked.size > 0) this.#changedIn.set(id, this.#round);
      for (const token of this.#tokens.get(id) ?? []) this.#known.delete(token);
      this.#tokens.delete(id);
    }
    const records = await this.#registry.findDevices([...changed.keys()]);
    const devices = new Map(records.map((record) => [record.id, createDevice(record)]));
    for (const [id, ended] of changed) {
      for (const listener of this.#listeners) listener(id, devices.get(id), ended);
    }
  }

  /** Every device of a profile has changed with it; told a page at a time. */
  async #tellProfiles(ids: ReadonlySet<ProfileId>): Promise<void> {
    this.#allChangedIn = this.#round;
    for (const profile of await this.#registry.listProfiles()) {
      if (!ids.has(profile.id)) continue;
      for (let after = ''; ; ) {
        const query = { profile: profile.name, after, limit: pageRows };
        const page = await this.#registry.listDevices(query);
        await this.#tell(new Map(page.map((device) => [device.id, false])));
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.name;
        await new Promise((resume) => setImmediate(resume));
      }
    }
  }

  /** The feed was not read for so long that it has forgotten: any device may have changed. */
  async #assumeEverything(): Promise<void> {
    this.#allChangedIn = this.#round;
    this.#known.clear();
    this.#tokens.clear();
    this.#forgetUnknown();
    for (let since = 0; ; ) {
      const page = await this.#registry.changedDevices(since, pageRows);
      await this.#tell(new Map(page.map((device) => [device.id, true])));
      const last = page.at(-1);
      if (last === undefined) return;
      since = last.version;
      await new Promise((resume) => setImmediate(resume));
    }
  }

  #forgetUnknown(): void {
    this.#unknown.clear();
    this.#unknownOld.clear();
  }
}
