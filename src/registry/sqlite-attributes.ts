import { type DeviceId, parseDeviceId } from '../core/ids.js';
import { type AttributeRecord, type AttributeValue, ValueType } from '../normalise/result.js';
import type { Attribute, AttributeScope, AttributeSummary } from './registry.js';
import type { SqliteFile } from './sqlite.js';
import { uuidBytes } from './uuid-bytes.js';

interface AttributeRow {
  key: string;
  type: bigint;
  value: bigint | number | string;
  ts: bigint;
  version: bigint;
}

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/** The attributes in SQLite. Every method runs inside a transaction of the caller. */
export class SqliteAttributes {
  readonly #file: SqliteFile;

  constructor(file: SqliteFile) {
    this.#file = file;
  }

  /**
   * Nothing in a record makes this fail: the records come from a journal that offers them again
   * until they are stored, so one value that cannot be would hold up all others for ever.
   */
  apply(records: readonly AttributeRecord[]): AttributeSummary {
    let written = 0;
    let skipped = 0;
    for (const [device, receivedAt, values] of records) {
      const row = this.#deviceRow(device);
      if (row === undefined || !Number.isSafeInteger(receivedAt)) {
        skipped += values.length;
        continue;
      }
      for (const [key, type, value] of values) {
        const stored = storable(type, value);
        if (stored === undefined) skipped += 1;
        else written += this.#upsert(row, 'client', key, type, stored, receivedAt);
      }
    }
    return { written, skipped };
  }

  read(device: DeviceId, scope: AttributeScope, keys: readonly string[] | undefined): Attribute[] {
    const row = this.#deviceRow(device);
    if (row === undefined) return [];
    const columns = 'SELECT key, type, value, ts, version FROM attribute';
    if (keys === undefined) {
      const sql = `${columns} WHERE device = ? AND scope = ? ORDER BY key`;
      const rows = this.#file.statement(sql).safeIntegers().all(row, scope);
      return (rows as AttributeRow[]).map(attributeOf);
    }
    const sql = `${columns} WHERE device = ? AND scope = ?
      AND key IN (SELECT value FROM json_each(?)) ORDER BY key`;
    const list = JSON.stringify(keys);
    const rows = this.#file.statement(sql).safeIntegers().all(row, scope, list);
    return (rows as AttributeRow[]).map(attributeOf);
  }

  /** Later arrival wins; of two with the same time, the one that is applied later. */
  #upsert(
    device: number,
    scope: AttributeScope,
    key: string,
    type: ValueType,
    value: bigint | number | string,
    ts: number,
  ): number {
    const sql = `
      INSERT INTO attribute (device, scope, key, type, value, ts, version)
      VALUES (?, ?, ?, ?, ?, ?, 1)
      ON CONFLICT (device, scope, key) DO UPDATE SET
        type = excluded.type, value = excluded.value, ts = excluded.ts,
        version = version + (excluded.ts > ts OR excluded.type <> type
          OR excluded.value IS NOT value)
      WHERE excluded.ts >= attribute.ts`;
    return this.#file.statement(sql).run(device, scope, key, type, value, ts).changes;
  }

  #deviceRow(device: string): number | undefined {
    const id = parseDeviceId(device);
    if (id === undefined) return undefined;
    const sql = 'SELECT row FROM device WHERE id = ?';
    return this.#file.statement(sql).pluck().get(uuidBytes(id)) as number | undefined;
  }
}

/** The value as SQLite keeps it bit by bit, or undefined when it is not what its type says. */
function storable(type: ValueType, value: AttributeValue): bigint | number | string | undefined {
  switch (typeof value) {
    case 'boolean':
      return type === ValueType.bool ? (value ? 1n : 0n) : undefined;
    case 'bigint':
      return type === ValueType.long && value >= int64Min && value <= int64Max ? value : undefined;
    case 'number':
      // NaN would be stored as NULL.
      return type === ValueType.double && !Number.isNaN(value) ? value : undefined;
    default:
      return type === ValueType.string || type === ValueType.json ? value : undefined;
  }
}

function attributeOf(row: AttributeRow): Attribute {
  const type = Number(row.type) as ValueType;
  return {
    key: row.key,
    type,
    value: type === ValueType.bool ? row.value === 1n : row.value,
    ts: Number(row.ts),
    version: Number(row.version),
  };
}
