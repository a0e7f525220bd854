import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import type { DeviceId } from '../core/ids.js';
import { parseLabel, parseName } from './names.js';
import { OrderedUuids } from './ordered-uuid.js';
import { defaultProfileName, normaliseFlagsOf, type TsPolicy } from './profile.js';
import type {
  DeviceDraft,
  DeviceFilter,
  DevicePatch,
  DeviceQuery,
  DeviceRecord,
} from './registry.js';
import type { SqliteFile } from './sqlite.js';
import type { SqliteChanges } from './sqlite-changes.js';
import type { SqliteProfiles } from './sqlite-profiles.js';
import { uuidBytes, uuidText } from './uuid-bytes.js';

/** The columns that `deviceOf` reads, of `device d` joined with `profile p`. */
export const deviceColumns = `d.row, d.id, d.name, d.label, d.enabled, d.gateway, d.created_at,
  d.seq, p.name AS profile, p.cast_numeric_strings, p.ts_policy`;
export const deviceTables = 'device d JOIN profile p ON p.row = d.profile';

/** What the other tables need to know of a device. */
export interface DeviceKey {
  readonly row: number;
  readonly id: Buffer;
  readonly name: string;
}

/** A device to be stored; `profile` is the number of its row. */
export interface CheckedDevice {
  readonly name: string;
  readonly label: string;
  readonly profile: number;
  readonly enabled: boolean;
  readonly gateway: boolean;
}

export interface DeviceRow extends DeviceKey {
  label: string;
  enabled: number;
  gateway: number;
  created_at: number;
  seq: number;
  profile: string;
  cast_numeric_strings: number;
  ts_policy: TsPolicy;
}

// Texts are put together once: the cache of statements looks them up as they are.
const byIdSql = `SELECT ${deviceColumns} FROM ${deviceTables} WHERE d.id = ?`;
const byNameSql = `SELECT ${deviceColumns} FROM ${deviceTables} WHERE d.name = ?`;
const insertSql = `INSERT INTO device
  (id, name, profile, label, enabled, gateway, created_at, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const filterSql = `(:search = '' OR d.name LIKE :pattern ESCAPE '\\'
    OR d.label LIKE :pattern ESCAPE '\\') AND (:profile = '' OR p.name = :profile)`;

/** The devices in SQLite. Every method runs inside a transaction of the caller. */
export class SqliteDevices {
  readonly #clock: Clock;
  readonly #file: SqliteFile;
  readonly #changes: SqliteChanges;
  readonly #profiles: SqliteProfiles;
  readonly #ids: OrderedUuids;

  constructor(clock: Clock, file: SqliteFile, changes: SqliteChanges, profiles: SqliteProfiles) {
    this.#clock = clock;
    this.#file = file;
    this.#changes = changes;
    this.#profiles = profiles;
    this.#ids = new OrderedUuids();
  }

  findRow(id: DeviceId): DeviceRow | undefined {
    return this.#file.statement(byIdSql).get(uuidBytes(id)) as DeviceRow | undefined;
  }

  findRowByName(name: string): DeviceRow | undefined {
    return this.#file.statement(byNameSql).get(name) as DeviceRow | undefined;
  }

  existing(id: DeviceId): DeviceRow {
    const row = this.findRow(id);
    if (row !== undefined) return row;
    throw new NodeError('SLUICE_DEVICE_UNKNOWN', `cannot find the device with id ${id}`);
  }

  list(query: DeviceQuery): DeviceRecord[] {
    const sql = `SELECT ${deviceColumns} FROM ${deviceTables}
      WHERE d.name > :after AND ${filterSql} ORDER BY d.name LIMIT :limit OFFSET :offset`;
    const values = { after: query.after ?? '', limit: query.limit, offset: query.offset ?? 0 };
    const rows = this.#file.statement(sql).all({ ...values, ...filterValues(query) });
    return (rows as DeviceRow[]).map(deviceOf);
  }

  count(filter: DeviceFilter): number {
    const { search = '', profile = '' } = filter;
    if (search === '' && profile === '') {
      return this.#file.statement('SELECT count(*) FROM device').pluck().get() as number;
    }
    const sql = `SELECT count(*) FROM ${deviceTables} WHERE ${filterSql}`;
    return this.#file.statement(sql).pluck().get(filterValues(filter)) as number;
  }

  create(draft: DeviceDraft): DeviceRow {
    const name = parseName('device', draft.name);
    this.#refuseTaken(name);
    const profile = this.#profiles.rowOf(draft.profile ?? defaultProfileName);
    const fields = {
      name,
      label: parseLabel(draft.label ?? ''),
      profile,
      enabled: draft.enabled ?? true,
      gateway: draft.gateway ?? false,
    };
    const { id } = this.insert(fields, this.#changes.reserve(1));
    return this.existing(uuidText(id) as DeviceId);
  }

  /** Stores a device that was checked in this transaction, under a number it has reserved. */
  insert(fields: CheckedDevice, seq: number): DeviceKey {
    const now = this.#clock.now();
    const id = uuidBytes(this.#ids.next(now));
    const { lastInsertRowid } = this.#file
      .statement(insertSql)
      .run(
        id,
        fields.name,
        fields.profile,
        fields.label,
        fields.enabled ? 1 : 0,
        fields.gateway ? 1 : 0,
        now,
        seq,
      );
    this.#changes.recordAt(seq, 'device', id, 'created');
    return { row: Number(lastInsertRowid), id, name: fields.name };
  }

  update(id: DeviceId, patch: DevicePatch): DeviceRecord {
    const before = deviceOf(this.existing(id));
    const name = patch.name === undefined ? before.name : parseName('device', patch.name);
    const label = patch.label === undefined ? before.label : parseLabel(patch.label);
    const profile = patch.profile ?? before.profile;
    const enabled = patch.enabled ?? before.enabled;
    const gateway = patch.gateway ?? before.gateway;
    const row = this.#profiles.rowOf(profile);
    if (name !== before.name) this.#refuseTaken(name);
    const same = name === before.name && label === before.label && profile === before.profile;
    if (same && enabled === before.enabled && gateway === before.gateway) return before;
    const bytes = uuidBytes(id);
    const seq = this.#changes.record('device', bytes, 'updated');
    const sql = `UPDATE device SET name = ?, profile = ?, label = ?, enabled = ?, gateway = ?,
      seq = ? WHERE id = ?`;
    this.#file.statement(sql).run(name, row, label, enabled ? 1 : 0, gateway ? 1 : 0, seq, bytes);
    return deviceOf(this.existing(id));
  }

  delete(id: DeviceId): boolean {
    const row = this.findRow(id);
    if (row === undefined) return false;
    this.#file.statement('DELETE FROM device WHERE row = ?').run(row.row);
    this.#changes.bury(id, row.name, this.#changes.record('device', row.id, 'deleted'));
    return true;
  }

  #refuseTaken(name: string): void {
    const sql = 'SELECT 1 FROM device WHERE name = ?';
    if (this.#file.statement(sql).get(name) === undefined) return;
    throw new NodeError(
      'SLUICE_DEVICE_EXISTS',
      `cannot name a device "${name}": there is one of this name`,
      'Choose another name, or change the device that has it.',
    );
  }
}

function filterValues(filter: DeviceFilter): Record<string, string> {
  const { search = '', profile = '' } = filter;
  const literal = search.replaceAll(/[\\%_]/g, '\\$&');
  return { search, pattern: `%${literal}%`, profile };
}

export function deviceOf(row: DeviceRow): DeviceRecord {
  return {
    id: uuidText(row.id) as DeviceId,
    name: row.name,
    profile: row.profile,
    label: row.label,
    enabled: row.enabled !== 0,
    gateway: row.gateway !== 0,
    normaliseFlags: normaliseFlagsOf(row.cast_numeric_strings !== 0, row.ts_policy),
    createdAt: row.created_at,
    version: row.seq,
  };
}
