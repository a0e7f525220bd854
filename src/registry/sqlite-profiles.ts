import { randomUUID } from 'node:crypto';
import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import { parseName } from './names.js';
import {
  defaultProfileName,
  type Profile,
  type ProfileDraft,
  type ProfileId,
  type TsPolicy,
  tsPolicies,
} from './profile.js';
import type { SqliteFile } from './sqlite.js';
import type { SqliteChanges } from './sqlite-changes.js';
import { uuidBytes, uuidText } from './uuid-bytes.js';

interface ProfileRow {
  row: number;
  id: Buffer;
  name: string;
  cast_numeric_strings: number;
  ts_policy: TsPolicy;
  settings: string;
}

/** The profiles in SQLite. Every method runs inside a transaction of the caller. */
export class SqliteProfiles {
  readonly #file: SqliteFile;
  readonly #changes: SqliteChanges;

  constructor(file: SqliteFile, changes: SqliteChanges) {
    this.#file = file;
    this.#changes = changes;
  }

  list(): Profile[] {
    const rows = this.#file.statement('SELECT * FROM profile ORDER BY name').all();
    return (rows as ProfileRow[]).map(profileOf);
  }

  findByName(name: string): Profile | undefined {
    const row = this.#rowByName(name);
    return row === undefined ? undefined : profileOf(row);
  }

  /** The number that device rows point at. */
  rowOf(name: string): number {
    const row = this.#rowByName(name)?.row;
    if (row !== undefined) return row;
    throw new NodeError(
      'SLUICE_PROFILE_UNKNOWN',
      `cannot find profile "${name}"`,
      'Name an existing profile, e.g. "default".',
    );
  }

  create(draft: ProfileDraft): Profile {
    const profile = {
      id: randomUUID() as ProfileId,
      name: parseName('profile', draft.name),
      castNumericStrings: draft.castNumericStrings ?? false,
      tsPolicy: parseTsPolicy(draft.tsPolicy ?? 'accept'),
      settings: draft.settings ?? {},
    };
    this.#refuseTaken(profile.name);
    this.refuseTooMany(profile.name, 0);
    const sql = `INSERT INTO profile (name, cast_numeric_strings, ts_policy, settings, id)
      VALUES (?, ?, ?, ?, ?)`;
    this.#file.statement(sql).run(...columnsOf(profile));
    this.#changes.record('profile', uuidBytes(profile.id), 'created');
    return profile;
  }

  /** `planned` profiles will be there too, before the one of this name. */
  refuseTooMany(name: string, planned: number): void {
    const stored = this.#file.statement('SELECT count(*) FROM profile').pluck().get() as number;
    if (stored + planned < limits.profilesMax) return;
    throw new NodeError(
      'SLUICE_ARGUMENT_INVALID',
      `cannot create profile "${name}": there are ${stored + planned} already`,
      'Name an existing profile, or delete some that no device has.',
    );
  }

  update(id: ProfileId, patch: Partial<ProfileDraft>): Profile {
    const row = this.#rowById(id);
    const before = profileOf(row);
    const after: Profile = {
      id,
      name: patch.name === undefined ? before.name : parseName('profile', patch.name),
      castNumericStrings: patch.castNumericStrings ?? before.castNumericStrings,
      tsPolicy: parseTsPolicy(patch.tsPolicy ?? before.tsPolicy),
      settings: patch.settings ?? before.settings,
    };
    if (after.name !== before.name) {
      refuseDefault('rename', before.name);
      this.#refuseTaken(after.name);
      this.#renumberDevices(row.row);
    }
    const sql = `UPDATE profile SET name = ?, cast_numeric_strings = ?, ts_policy = ?, settings = ?
      WHERE id = ?`;
    this.#file.statement(sql).run(...columnsOf(after));
    this.#changes.record('profile', row.id, 'updated');
    return after;
  }

  delete(id: ProfileId): void {
    const row = this.#rowById(id);
    refuseDefault('delete', row.name);
    const sql = 'SELECT 1 FROM device WHERE profile = ? LIMIT 1';
    if (this.#file.statement(sql).get(row.row) !== undefined) {
      throw new NodeError(
        'SLUICE_PROFILE_IN_USE',
        `cannot delete profile "${row.name}": devices have it`,
        'Give those devices another profile first.',
      );
    }
    this.#file.statement('DELETE FROM profile WHERE row = ?').run(row.row);
    this.#changes.record('profile', row.id, 'deleted');
  }

  /** The name of a profile is a column of every device in the feed: they all have changed. */
  #renumberDevices(profile: number): void {
    const sql = 'SELECT count(*) FROM device WHERE profile = ?';
    const count = this.#file.statement(sql).pluck().get(profile) as number;
    const last = this.#changes.reserve(count);
    this.#file
      .statement(
        `UPDATE device SET seq = ? + numbered.number FROM
           (SELECT row, row_number() OVER (ORDER BY row) AS number FROM device WHERE profile = ?)
             AS numbered
         WHERE device.row = numbered.row`,
      )
      .run(last - count, profile);
  }

  #rowByName(name: string): ProfileRow | undefined {
    const sql = 'SELECT * FROM profile WHERE name = ?';
    return this.#file.statement(sql).get(name) as ProfileRow | undefined;
  }

  #rowById(id: ProfileId): ProfileRow {
    const row = this.#file.statement('SELECT * FROM profile WHERE id = ?').get(uuidBytes(id));
    if (row !== undefined) return row as ProfileRow;
    throw new NodeError('SLUICE_PROFILE_UNKNOWN', `cannot find the profile with id ${id}`);
  }

  #refuseTaken(name: string): void {
    if (this.#rowByName(name) === undefined) return;
    throw new NodeError(
      'SLUICE_PROFILE_EXISTS',
      `cannot name a profile "${name}": there is one of this name`,
      'Choose another name.',
    );
  }
}

function refuseDefault(verb: string, name: string): void {
  if (name !== defaultProfileName) return;
  throw new NodeError(
    'SLUICE_PROFILE_IN_USE',
    `cannot ${verb} profile "${name}": devices that name none have it`,
    'Create another profile instead.',
  );
}

function parseTsPolicy(policy: TsPolicy): TsPolicy {
  if (tsPolicies.includes(policy)) return policy;
  throw new NodeError(
    'SLUICE_ARGUMENT_INVALID',
    `cannot use the timestamp policy "${policy}"`,
    `Use one of ${tsPolicies.join(', ')}.`,
  );
}

function columnsOf(profile: Profile): unknown[] {
  return [
    profile.name,
    profile.castNumericStrings ? 1 : 0,
    profile.tsPolicy,
    JSON.stringify(profile.settings),
    uuidBytes(profile.id),
  ];
}

function profileOf(row: ProfileRow): Profile {
  return {
    id: uuidText(row.id) as ProfileId,
    name: row.name,
    castNumericStrings: row.cast_numeric_strings !== 0,
    tsPolicy: row.ts_policy,
    settings: JSON.parse(row.settings) as Record<string, unknown>,
  };
}
