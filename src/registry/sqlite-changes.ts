import type { Clock } from '../core/clock.js';
import type { DeviceId } from '../core/ids.js';
import { limits } from '../core/limits.js';
import type { ChangedDevice } from './changed-device.js';
import type { Change, ChangePage } from './registry.js';
import type { SqliteFile } from './sqlite.js';
import { uuidBytes, uuidText } from './uuid-bytes.js';

const microsecondsPerMs = 1000;

interface ChangeRow {
  seq: number;
  entity: Change['entity'];
  id: Buffer;
  kind: Change['kind'];
}

interface ChangedDeviceRow {
  id: Buffer;
  name: string;
  profile: string;
  label: string;
  enabled: number;
  gateway: number;
  seq: number;
  deleted: number;
}

/**
 * The change feed in SQLite. Sequence numbers are given out under the write lock, so they become
 * visible in their order: reading after the last one seen misses nothing.
 *
 * Invariant: floor ≤ every `seq` kept ≤ last, and last ≥ every `seq` ever told to anybody.
 */
export class SqliteChanges {
  readonly #clock: Clock;
  readonly #file: SqliteFile;

  constructor(clock: Clock, file: SqliteFile) {
    this.#clock = clock;
    this.#file = file;
  }

  /** Notes one change; inside a write transaction. Returns its sequence number. */
  record(entity: Change['entity'], id: Buffer, kind: Change['kind']): number {
    const seq = this.reserve(1);
    this.recordAt(seq, entity, id, kind);
    return seq;
  }

  /** Notes one change under a number that `reserve` gave out in the same transaction. */
  recordAt(seq: number, entity: Change['entity'], id: Buffer, kind: Change['kind']): void {
    const sql = 'INSERT INTO change (seq, entity, id, kind, at) VALUES (?, ?, ?, ?, ?)';
    this.#file.statement(sql).run(seq, entity, id, kind, this.#clock.now());
  }

  /** Takes `count` consecutive sequence numbers and returns the last; in a write transaction. */
  reserve(count: number): number {
    const sql = `UPDATE change_position SET seq = max(seq, ?) + ? WHERE name = 'last'
      RETURNING seq`;
    const near = this.#clock.now() * microsecondsPerMs;
    return this.#file.statement(sql).pluck().get(near, count) as number;
  }

  last(): number {
    const sql = `SELECT seq FROM change_position WHERE name = 'last'`;
    return this.#file.statement(sql).pluck().get() as number;
  }

  page(sinceSeq: number, limit: number): ChangePage {
    const sql = `SELECT seq FROM change_position WHERE name = 'floor'`;
    const floor = this.#file.statement(sql).pluck().get() as number;
    const rows = this.#file
      .statement('SELECT seq, entity, id, kind FROM change WHERE seq > ? ORDER BY seq LIMIT ?')
      .all(sinceSeq, limit) as ChangeRow[];
    return { changes: rows.map(changeOf), gap: sinceSeq < floor };
  }

  changedDevices(sinceSeq: number, limit: number): ChangedDevice[] {
    const sql = `
      SELECT * FROM (
        SELECT d.id, d.name, p.name AS profile, d.label, d.enabled, d.gateway, d.seq, 0 AS deleted
        FROM device d JOIN profile p ON p.row = d.profile
        WHERE d.seq > :since ORDER BY d.seq LIMIT :limit)
      UNION ALL
      SELECT * FROM (
        SELECT id, name, '', '', 0, 0, seq, 1 FROM deleted_device
        WHERE seq > :since ORDER BY seq LIMIT :limit)
      ORDER BY seq LIMIT :limit`;
    const rows = this.#file.statement(sql).all({ since: sinceSeq, limit }) as ChangedDeviceRow[];
    return rows.map(changedDeviceOf);
  }

  /** Forgets up to `rows` changes that are older than the feed keeps; in a write transaction. */
  prune(rows: number): number {
    const before = (this.#clock.now() - limits.registryChangesKeptMs) * microsecondsPerMs;
    const newest = this.#file
      .statement(`SELECT max(seq) FROM (SELECT seq FROM change WHERE seq < ? ORDER BY seq LIMIT ?)`)
      .pluck()
      .get(before, rows) as number | null;
    if (newest === null) return 0;
    const pruned = this.#file.statement('DELETE FROM change WHERE seq <= ?').run(newest).changes;
    this.#file.statement(`UPDATE change_position SET seq = ? WHERE name = 'floor'`).run(newest);
    return pruned;
  }

  /** Leaves the mark of a deleted device and forgets some that are very old. */
  bury(id: DeviceId, name: string, seq: number): void {
    this.#file
      .statement('INSERT INTO deleted_device (seq, id, name) VALUES (?, ?, ?)')
      .run(seq, uuidBytes(id), name);
    const before = (this.#clock.now() - limits.deletedDevicesKeptMs) * microsecondsPerMs;
    this.#file
      .statement(
        `DELETE FROM deleted_device WHERE seq IN
           (SELECT seq FROM deleted_device WHERE seq < ? ORDER BY seq LIMIT 2)`,
      )
      .run(before);
  }
}

function changeOf(row: ChangeRow): Change {
  // The columns were written from this union, in `record`.
  return { entity: row.entity, kind: row.kind, id: uuidText(row.id), seq: row.seq } as Change;
}

function changedDeviceOf(row: ChangedDeviceRow): ChangedDevice {
  return {
    id: uuidText(row.id) as DeviceId,
    name: row.name,
    profile: row.profile,
    label: row.label,
    enabled: row.enabled !== 0,
    gateway: row.gateway !== 0,
    version: row.seq,
    deleted: row.deleted !== 0,
  };
}
