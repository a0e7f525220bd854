import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { DeviceId } from '../core/ids.js';
import type { Logger } from '../core/logger.js';
import type { AttributeRecord } from '../normalise/result.js';
import type { ChangedDevice } from './changed-device.js';
import { ensureDataDirectory } from './data-dir.js';
import type { DeviceImport, ImportOptions } from './device-import.js';
import type { Profile, ProfileDraft, ProfileId } from './profile.js';
import type {
  AccessToken,
  Attribute,
  AttributeScope,
  AttributeSummary,
  ChangePage,
  CreatedDevice,
  Credential,
  CredentialId,
  CredentialMatch,
  DeviceDraft,
  DeviceFilter,
  DevicePatch,
  DeviceQuery,
  DeviceRecord,
  Registry,
  RotatedToken,
  TokenDraft,
} from './registry.js';
import { SecretBox } from './secret-box.js';
import { openSqliteFile, type SqliteFile } from './sqlite.js';
import { SqliteAttributes } from './sqlite-attributes.js';
import { SqliteChanges } from './sqlite-changes.js';
import { SqliteCredentials } from './sqlite-credentials.js';
import { type DeviceRow, deviceOf, SqliteDevices } from './sqlite-devices.js';
import { SqliteImport } from './sqlite-import.js';
import { migrateSqlite } from './sqlite-migrate.js';
import { SqliteProfiles } from './sqlite-profiles.js';
import { applySqliteSettings } from './sqlite-settings.js';
import { SqliteWatch } from './sqlite-watch.js';

const registryFileName = 'registry.sqlite';
const secretKeyFileName = 'secret.key';

/** While another process recovers or removes the file's log, an open waits this long. */
const openWaitMs = 5_000;
/** From then on locks are not waited for inside SQLite, see sqlite.ts. */
const lockWaitMs = 3;
const prunedPerWrite = 100;

/**
 * Opens the registry in a data directory, both made when they are not there, and brings its schema
 * up to date. Several processes may have it open. Rejects with SLUICE_REGISTRY_FAILED,
 * SLUICE_DATA_UNUSABLE or SLUICE_BINARY_MISSING.
 */
export async function openSqliteRegistry(
  clock: Clock,
  logger: Logger,
  dataDir: string,
): Promise<SqliteRegistry> {
  ensureDataDirectory(dataDir);
  const path = join(dataDir, registryFileName);
  const file = await openSqliteFile(path, { lockWaitMs: openWaitMs });
  try {
    await file.read(`open ${path}`, () => applySqliteSettings(file));
    for (const name of await migrateSqlite(file)) logger.info('registry.migrated', { name });
    file.pragma(`busy_timeout = ${lockWaitMs}`);
  } catch (error) {
    file.close();
    throw error;
  }
  const secrets = new SecretBox(join(dataDir, secretKeyFileName));
  return new SqliteRegistry(clock, logger, file, secrets);
}

/** The registry of a node that runs alone. */
export class SqliteRegistry implements Registry {
  readonly #file: SqliteFile;
  readonly #changes: SqliteChanges;
  readonly #profiles: SqliteProfiles;
  readonly #devices: SqliteDevices;
  readonly #credentials: SqliteCredentials;
  readonly #attributes: SqliteAttributes;
  readonly #watch: SqliteWatch;

  constructor(clock: Clock, logger: Logger, file: SqliteFile, secrets: SecretBox) {
    this.#file = file;
    this.#changes = new SqliteChanges(clock, file);
    this.#profiles = new SqliteProfiles(file, this.#changes);
    this.#devices = new SqliteDevices(clock, file, this.#changes, this.#profiles);
    this.#credentials = new SqliteCredentials(clock, file, this.#changes, secrets);
    this.#attributes = new SqliteAttributes(file);
    this.#watch = new SqliteWatch(file, this.#changes, this.#credentials, (error) => {
      logger.limited('registry.watch_failed', { reason: messageOf(error) });
    });
  }

  createDevice(draft: DeviceDraft): Promise<CreatedDevice> {
    return this.#change(`create device "${draft.name}"`, () => {
      const row = this.#devices.create(draft);
      const { token } = this.#credentials.addToken(row, { token: draft.token });
      return { device: deviceOf(row), token };
    });
  }

  findDevice(id: DeviceId): Promise<DeviceRecord | undefined> {
    return this.#file.read('find a device', () => recordOf(this.#devices.findRow(id)));
  }

  findDeviceByName(name: string): Promise<DeviceRecord | undefined> {
    return this.#file.read('find a device', () => recordOf(this.#devices.findRowByName(name)));
  }

  findDevices(ids: readonly DeviceId[]): Promise<DeviceRecord[]> {
    return this.#file.read('find devices', () => {
      const rows = ids.map((id) => recordOf(this.#devices.findRow(id)));
      return rows.filter((row) => row !== undefined);
    });
  }

  listDevices(query: DeviceQuery): Promise<DeviceRecord[]> {
    return this.#file.read('list devices', () => this.#devices.list(query));
  }

  countDevices(filter: DeviceFilter = {}): Promise<number> {
    return this.#file.read('count devices', () => this.#devices.count(filter));
  }

  updateDevice(id: DeviceId, patch: DevicePatch): Promise<DeviceRecord> {
    return this.#change('update a device', () => this.#devices.update(id, patch));
  }

  deleteDevice(id: DeviceId): Promise<boolean> {
    return this.#change('delete a device', () => this.#devices.delete(id));
  }

  importDevices(options: ImportOptions): DeviceImport {
    return new SqliteImport(
      this.#file,
      this.#changes,
      this.#profiles,
      this.#devices,
      this.#credentials,
      options,
      () => this.#watch.changedHere(),
    );
  }

  createProfile(draft: ProfileDraft): Promise<Profile> {
    return this.#change('create a profile', () => this.#profiles.create(draft));
  }

  findProfileByName(name: string): Promise<Profile | undefined> {
    return this.#file.read('find a profile', () => this.#profiles.findByName(name));
  }

  listProfiles(): Promise<Profile[]> {
    return this.#file.read('list profiles', () => this.#profiles.list());
  }

  updateProfile(id: ProfileId, patch: Partial<ProfileDraft>): Promise<Profile> {
    return this.#change('update a profile', () => this.#profiles.update(id, patch));
  }

  deleteProfile(id: ProfileId): Promise<void> {
    return this.#change('delete a profile', () => this.#profiles.delete(id));
  }

  findCredential(lookupHash: Uint8Array): Promise<CredentialMatch | undefined> {
    return this.#file.read('look up a credential', () => this.#credentials.find(lookupHash));
  }

  listCredentials(device: DeviceId): Promise<Credential[]> {
    return this.#file.read('list credentials', () =>
      this.#credentials.list(this.#devices.existing(device).row),
    );
  }

  readToken(device: DeviceId): Promise<AccessToken | undefined> {
    return this.#file.read('read a token', () =>
      this.#credentials.readToken(this.#devices.existing(device).row),
    );
  }

  addToken(device: DeviceId, token: TokenDraft): Promise<AccessToken> {
    return this.#change('add a token', () => {
      const row = this.#devices.existing(device);
      this.#credentials.refuseTooMany(row);
      this.#credentials.announceAdded(row);
      return this.#credentials.addToken(row, token);
    });
  }

  rotateToken(device: DeviceId, token: string | undefined, graceMs: number): Promise<RotatedToken> {
    return this.#change('rotate a token', () => {
      const row = this.#devices.existing(device);
      const previousUntil = this.#credentials.retireTokens(row, graceMs);
      this.#credentials.announceAdded(row);
      return { ...this.#credentials.addToken(row, { token }), previousUntil };
    });
  }

  removeCredential(device: DeviceId, credential: CredentialId): Promise<boolean> {
    return this.#change('remove a credential', () =>
      this.#credentials.remove(this.#devices.existing(device), credential),
    );
  }

  applyAttributes(records: readonly AttributeRecord[]): Promise<AttributeSummary> {
    return this.#file.write('store attributes', () => this.#attributes.apply(records));
  }

  readAttributes(
    device: DeviceId,
    scope: AttributeScope,
    keys?: readonly string[],
  ): Promise<Attribute[]> {
    return this.#file.read('read attributes', () => this.#attributes.read(device, scope, keys));
  }

  lastChange(): Promise<number> {
    return this.#file.read('read changes', () => this.#changes.last());
  }

  changes(sinceSeq: number, limit: number): Promise<ChangePage> {
    return this.#file.read('read changes', () => this.#changes.page(sinceSeq, limit));
  }

  changedDevices(sinceSeq: number, limit: number): Promise<ChangedDevice[]> {
    return this.#file.read('read changed devices', () =>
      this.#changes.changedDevices(sinceSeq, limit),
    );
  }

  watch(listener: () => void): () => void {
    return this.#watch.add(listener);
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#file.close();
  }

  /** A transaction that changes what the feed tells of. */
  async #change<T>(what: string, change: () => T): Promise<T> {
    const result = await this.#file.write(what, () => {
      this.#changes.prune(prunedPerWrite);
      return change();
    });
    this.#watch.changedHere();
    return result;
  }
}

function recordOf(row: DeviceRow | undefined): DeviceRecord | undefined {
  return row === undefined ? undefined : deviceOf(row);
}
