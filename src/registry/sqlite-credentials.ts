import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type {
  AccessToken,
  Credential,
  CredentialId,
  CredentialKind,
  CredentialMatch,
  TokenDraft,
} from './registry.js';
import type { SecretBox } from './secret-box.js';
import type { SqliteFile } from './sqlite.js';
import type { SqliteChanges } from './sqlite-changes.js';
import {
  type DeviceKey,
  type DeviceRow,
  deviceColumns,
  deviceOf,
  deviceTables,
} from './sqlite-devices.js';
import { generateToken, parseToken, tokenHash } from './token.js';

interface CredentialRow {
  credential: CredentialId;
  kind: CredentialKind;
  credential_created_at: number;
  not_after: number | null;
}

const columns = `c.row AS credential, c.kind, c.created_at AS credential_created_at, c.not_after`;
const usable = `c.state = 'active' AND (c.not_after IS NULL OR c.not_after > :now)`;
// Texts are put together once: the cache of statements looks them up as they are.
const findSql = `SELECT ${columns}, ${deviceColumns}
  FROM ${deviceTables} JOIN credential c ON c.device = d.row
  WHERE c.lookup_hash = :hash AND ${usable}`;
const listSql = `SELECT ${columns} FROM credential c
  WHERE c.device = :device AND ${usable} ORDER BY c.row`;
const tokenSql = `SELECT ${columns}, c.secret, c.lookup_hash FROM credential c
  WHERE c.device = :device AND c.kind = 'access_token' AND ${usable} ORDER BY c.row DESC LIMIT 1`;
const insertSql = `INSERT INTO credential
  (device, kind, lookup_hash, secret, not_after, created_at) VALUES (?, ?, ?, ?, ?, ?)`;

/** The credentials in SQLite. Every method runs inside a transaction of the caller. */
export class SqliteCredentials {
  readonly #clock: Clock;
  readonly #file: SqliteFile;
  readonly #changes: SqliteChanges;
  readonly #secrets: SecretBox;

  constructor(clock: Clock, file: SqliteFile, changes: SqliteChanges, secrets: SecretBox) {
    this.#clock = clock;
    this.#file = file;
    this.#changes = changes;
    this.#secrets = secrets;
  }

  find(lookupHash: Uint8Array): CredentialMatch | undefined {
    const values = { hash: lookupHash, now: this.#clock.now() };
    const row = this.#file.statement(findSql).get(values);
    if (row === undefined) return undefined;
    return { ...credentialOf(row as CredentialRow), device: deviceOf(row as DeviceRow) };
  }

  list(device: number): Credential[] {
    const rows = this.#file.statement(listSql).all({ device, now: this.#clock.now() });
    return (rows as CredentialRow[]).map(credentialOf);
  }

  /**
   * The row of the device that has this token, active or not. One whose time is over counts no
   * more; with `makeRoom` (in a write transaction) it is removed, for look-up hashes are unique.
   */
  ownerOf(hash: Uint8Array, makeRoom = false): number | undefined {
    const sql = 'SELECT device, not_after AS notAfter FROM credential WHERE lookup_hash = ?';
    const row = this.#file.statement(sql).get(hash);
    if (row === undefined) return undefined;
    const { device, notAfter } = row as { device: number; notAfter: number | null };
    if (notAfter === null || notAfter > this.#clock.now()) return device;
    if (makeRoom) this.#removeWhere('lookup_hash = ?', hash);
    return undefined;
  }

  readToken(device: number): AccessToken | undefined {
    const row = this.#file.statement(tokenSql).get({ device, now: this.#clock.now() });
    if (row === undefined) return undefined;
    const { secret, lookup_hash } = row as { secret: Buffer; lookup_hash: Buffer };
    return {
      ...credentialOf(row as CredentialRow),
      token: this.#secrets.open(secret, lookup_hash),
    };
  }

  /** Rejects with SLUICE_TOKEN_TAKEN or SLUICE_ARGUMENT_INVALID. */
  addToken(device: DeviceKey, draft: TokenDraft): AccessToken {
    const token = draft.token === undefined ? generateToken() : parseToken(draft.token);
    const hash = tokenHash(token);
    if (this.ownerOf(hash, true) !== undefined) {
      throw new NodeError(
        'SLUICE_TOKEN_TAKEN',
        `cannot give device "${device.name}" this access token: it is in use`,
        'Give another token, or none to have one generated.',
      );
    }
    return this.insertToken(device.row, token, hash, draft.notAfter);
  }

  /** Stores a token that was checked in this transaction. */
  insertToken(
    device: number,
    token: string,
    hash: Buffer,
    notAfter: number | undefined,
  ): AccessToken {
    const now = this.#clock.now();
    const secret = this.#secrets.seal(token, hash);
    const { lastInsertRowid } = this.#file
      .statement(insertSql)
      .run(device, 'access_token', hash, secret, notAfter ?? null, now);
    const id = Number(lastInsertRowid) as CredentialId;
    return { id, kind: 'access_token', createdAt: now, notAfter, token };
  }

  /** Tells the feed that a device has one more; not needed for a device just created. */
  announceAdded(device: DeviceKey): void {
    this.#changes.record('credential', device.id, 'added');
  }

  refuseTooMany(device: DeviceKey): void {
    const count = this.list(device.row).length;
    if (count < limits.credentialsPerDeviceMax) return;
    throw new NodeError(
      'SLUICE_ARGUMENT_INVALID',
      `cannot add a credential to device "${device.name}": it has ${count} already`,
      'Remove one first.',
    );
  }

  /**
   * Ends the device's tokens after `graceMs`, those that would end before as they would. Returns
   * when the last of them ends.
   */
  retireTokens(device: DeviceKey, graceMs: number): number {
    const until = this.#clock.now() + graceMs;
    if (graceMs > 0) {
      const sql = `UPDATE credential SET not_after = min(coalesce(not_after, :until), :until)
        WHERE device = :device AND kind = 'access_token'`;
      this.#file.statement(sql).run({ until, device: device.row });
    }
    // With room for the token to come, and nothing left at all without a grace period.
    const keep = graceMs > 0 ? limits.credentialsPerDeviceMax - 1 : 0;
    this.#removeWhere(
      `row IN (SELECT row FROM credential
        WHERE device = ? AND kind = 'access_token' ORDER BY row DESC LIMIT -1 OFFSET ?)`,
      device.row,
      keep,
    );
    return until;
  }

  remove(device: DeviceKey, credential: CredentialId): boolean {
    return this.#removeWhere('row = ? AND device = ?', credential, device.row) > 0;
  }

  /** True when `removeExpired` has something to do; cheap enough to ask often. */
  anyExpired(): boolean {
    const sql = 'SELECT 1 FROM credential WHERE not_after <= ? LIMIT 1';
    return this.#file.statement(sql).get(this.#clock.now()) !== undefined;
  }

  /** Removes up to `limit` credentials whose time is over. */
  removeExpired(limit: number): void {
    this.#removeWhere(
      'row IN (SELECT row FROM credential WHERE not_after <= ? ORDER BY not_after LIMIT ?)',
      this.#clock.now(),
      limit,
    );
  }

  /** Removes credentials and tells the feed of each device; returns how many. */
  #removeWhere(condition: string, ...values: unknown[]): number {
    const sql = `DELETE FROM credential WHERE ${condition}
      RETURNING (SELECT id FROM device d WHERE d.row = credential.device)`;
    const devices = this.#file
      .statement(sql)
      .pluck()
      .all(...values) as Buffer[];
    const distinct = new Map(devices.map((id) => [id.toString('hex'), id]));
    for (const id of distinct.values()) this.#changes.record('credential', id, 'removed');
    return devices.length;
  }
}

function credentialOf(row: CredentialRow): Credential {
  return {
    id: row.credential,
    kind: row.kind,
    createdAt: row.credential_created_at,
    notAfter: row.not_after ?? undefined,
  };
}
