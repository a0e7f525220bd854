import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '../core/assert.js';
import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type { DeviceImport, ImportOptions, ImportOutcome, ImportRow } from './device-import.js';
import { parseLabel, parseName } from './names.js';
import { defaultProfileName } from './profile.js';
import type { SqliteFile } from './sqlite.js';
import type { SqliteChanges } from './sqlite-changes.js';
import type { SqliteCredentials } from './sqlite-credentials.js';
import type { SqliteDevices } from './sqlite-devices.js';
import type { SqliteProfiles } from './sqlite-profiles.js';
import { generateToken, parseToken, tokenHash } from './token.js';

const unchanged: ImportOutcome = Object.freeze({ kind: 'unchanged' });
const created: ImportOutcome = Object.freeze({ kind: 'created' });

/** After each transaction the lock stays free this long, so that a node beside us gets its turn. */
const pauseMs = 6;

// An import writes all over the indexes: what it keeps in memory and copies back to the file less
// often (64 MiB of log) it does not write twice. Measured over a million rows: 34 k rows/s against
// 25 k with the values of `usualPragmas`, at 30 MB more.
const importPragmas = ['cache_size = -32768', 'wal_autocheckpoint = 16384'];
const usualPragmas = ['cache_size = -16000', 'wal_autocheckpoint = 1000'];

/** What is known of a device that the file names, stored already or, in a dry run, seen before. */
interface Known {
  readonly profile: string;
  readonly label: string;
  readonly gateway: number;
  readonly hasToken: (token: string) => boolean;
}

/**
 * An import into SQLite. A dry run takes no lock and stores nothing: the names and hashes it has
 * seen go to a temporary table, on disk when it grows, so that a file of any length is checked
 * against itself within bounded memory.
 */
export class SqliteImport implements DeviceImport {
  readonly #file: SqliteFile;
  readonly #changes: SqliteChanges;
  readonly #profiles: SqliteProfiles;
  readonly #devices: SqliteDevices;
  readonly #credentials: SqliteCredentials;
  readonly #dryRun: boolean;
  readonly #settled: () => void;
  /** At most `limits.profilesMax`. */
  readonly #profilesCreated: Set<string>;
  /** Rows of profiles by name, as far as looked up in this transaction; 0 in a dry run's future. */
  readonly #profileRows: Map<string, number>;
  /** The next of the numbers that this transaction has reserved. */
  #seq: number;
  #prepared: boolean;

  /** `settled` runs after each transaction that changed something. */
  constructor(
    file: SqliteFile,
    changes: SqliteChanges,
    profiles: SqliteProfiles,
    devices: SqliteDevices,
    credentials: SqliteCredentials,
    options: ImportOptions,
    settled: () => void,
  ) {
    this.#file = file;
    this.#changes = changes;
    this.#profiles = profiles;
    this.#devices = devices;
    this.#credentials = credentials;
    this.#dryRun = options.dryRun;
    this.#settled = settled;
    this.#profilesCreated = new Set();
    this.#profileRows = new Map();
    this.#seq = 0;
    this.#prepared = false;
  }

  async add(rows: readonly ImportRow[]): Promise<ImportOutcome[]> {
    assert(rows.length <= limits.importRowsMax, 'an import adds at most importRowsMax rows');
    this.#prepare();
    this.#profileRows.clear();
    if (this.#dryRun) {
      const check = (): ImportOutcome[] => rows.map((row) => this.#outcome(row));
      return this.#file.writeTemporary('check devices', check);
    }
    const outcomes = await this.#file.write('import devices', () => {
      this.#changes.prune(rows.length * 2);
      this.#seq = this.#changes.reserve(rows.length) - rows.length + 1;
      return rows.map((row) => this.#outcome(row));
    });
    if (outcomes.includes(created)) this.#settled();
    await delay(pauseMs);
    return outcomes;
  }

  profilesCreated(): readonly string[] {
    return [...this.#profilesCreated];
  }

  async finish(): Promise<void> {
    if (!this.#prepared) return;
    this.#prepared = false;
    for (const pragma of usualPragmas) this.#file.pragma(pragma);
    if (this.#dryRun) this.#file.execute('DROP TABLE temp.import_seen');
  }

  #prepare(): void {
    if (this.#prepared) return;
    this.#prepared = true;
    for (const pragma of importPragmas) this.#file.pragma(pragma);
    if (!this.#dryRun) return;
    this.#file.execute(`
      CREATE TEMP TABLE import_seen (
        name TEXT PRIMARY KEY, hash BLOB UNIQUE, profile TEXT, label TEXT, gateway INTEGER)`);
  }

  #outcome(row: ImportRow): ImportOutcome {
    try {
      return this.#add(row);
    } catch (error) {
      if (error instanceof NodeError) return { kind: 'refused', error };
      throw error;
    }
  }

  /** Everything that can be wrong is found before anything is written: a row is in or out whole. */
  #add(row: ImportRow): ImportOutcome {
    const name = parseName('device', row.name);
    const label = parseLabel(row.label ?? '');
    const profileName = row.profile?.trim() ?? defaultProfileName;
    if (row.token !== undefined) parseToken(row.token);
    const known = this.#stored(name) ?? (this.#dryRun ? this.#seen(name) : undefined);
    if (known !== undefined) {
      const difference = differenceOf(known, row, label, profileName);
      if (difference === undefined) return unchanged;
      throw new NodeError(
        'SLUICE_DEVICE_EXISTS',
        `cannot import device "${name}": it exists with ${difference}`,
        'Correct the line, or delete the device first if the file is right.',
      );
    }
    const token = row.token ?? generateToken();
    const hash = tokenHash(token);
    this.#refuseTaken(name, hash);
    const profile = this.#profileRow(profileName);
    const gateway = row.gateway ?? false;
    if (this.#dryRun) {
      this.#remember(name, hash, profileName, label, gateway);
      return created;
    }
    const fields = { name, label, profile, enabled: true, gateway };
    const device = this.#devices.insert(fields, this.#seq);
    this.#seq += 1;
    this.#credentials.insertToken(device.row, token, hash, undefined);
    return created;
  }

  /** The row of a profile, which is created when it is not there. */
  #profileRow(name: string): number {
    const known = this.#profileRows.get(name);
    if (known !== undefined) return known;
    const missing = this.#profiles.findByName(name) === undefined;
    if (missing && !this.#profilesCreated.has(name)) {
      if (this.#dryRun) {
        parseName('profile', name);
        this.#profiles.refuseTooMany(name, this.#profilesCreated.size);
      } else {
        this.#profiles.create({ name });
      }
      this.#profilesCreated.add(name);
    }
    const row = missing && this.#dryRun ? 0 : this.#profiles.rowOf(name);
    this.#profileRows.set(name, row);
    return row;
  }

  #stored(name: string): Known | undefined {
    const device = this.#devices.findRowByName(name);
    if (device === undefined) return undefined;
    const hasToken = (token: string): boolean =>
      this.#credentials.ownerOf(tokenHash(token)) === device.row;
    return { profile: device.profile, label: device.label, gateway: device.gateway, hasToken };
  }

  #seen(name: string): Known | undefined {
    const sql = 'SELECT hash, profile, label, gateway FROM temp.import_seen WHERE name = ?';
    const row = this.#file.statement(sql).get(name);
    if (row === undefined) return undefined;
    const seen = row as { hash: Buffer; profile: string; label: string; gateway: number };
    return { ...seen, hasToken: (token) => seen.hash.equals(tokenHash(token)) };
  }

  #remember(name: string, hash: Buffer, profile: string, label: string, gateway: boolean): void {
    const sql = `INSERT INTO temp.import_seen (name, hash, profile, label, gateway)
      VALUES (?, ?, ?, ?, ?)`;
    this.#file.statement(sql).run(name, hash, profile, label, gateway ? 1 : 0);
  }

  #refuseTaken(name: string, hash: Buffer): void {
    const sql = 'SELECT 1 FROM temp.import_seen WHERE hash = ?';
    const seen = this.#dryRun && this.#file.statement(sql).get(hash) !== undefined;
    if (!seen && this.#credentials.ownerOf(hash, !this.#dryRun) === undefined) return;
    throw new NodeError(
      'SLUICE_TOKEN_TAKEN',
      `cannot import device "${name}": another device has its access token`,
      'Give the line another token, or none to have one generated.',
    );
  }
}

/** What differs between a device and what its line states; undefined when they agree. */
function differenceOf(
  known: Known,
  row: ImportRow,
  label: string,
  profile: string,
): string | undefined {
  if (row.profile !== undefined && profile !== known.profile) {
    return `the profile "${known.profile}"`;
  }
  if (row.label !== undefined && label !== known.label) return `the label "${known.label}"`;
  if (row.gateway !== undefined && row.gateway !== (known.gateway !== 0)) {
    return known.gateway !== 0 ? 'the gateway flag set' : 'the gateway flag not set';
  }
  if (row.token !== undefined && !known.hasToken(row.token)) return 'another access token';
  return undefined;
}
