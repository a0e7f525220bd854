import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { ClickhouseClient } from './client.js';
import { fillTemplate, quoteIdentifier, splitStatements } from './statements.js';

export interface MigrateOptions {
  /** Folder of the numbered files, `schema/clickhouse`. */
  readonly folder: string;
  readonly database: string;
  /** Makes everything ON CLUSTER and the tables replicated. */
  readonly cluster: string | undefined;
  /** Age at which points are deleted; 0 keeps them. */
  readonly ttlDays: number;
}

export interface Migration {
  readonly name: string;
  /** What was done: `applied`, or `present` when an earlier start did it. */
  readonly outcome: 'applied' | 'present';
}

const fileForm = /^\d{3}_[a-z0-9_]+\.sql$/;
const ttlName = 'telemetry_ttl_days';

/**
 * Brings the database to the schema of this version: creates it, applies the files that were not
 * applied yet in the order of their numbers, and sets the age at which points go. Every statement
 * may be repeated, so a run that was cut off is continued by the next one, and two nodes may run at
 * once. `client` must name no database of its own, as it may not exist yet.
 *
 * Throws a `NodeError` when ClickHouse refuses a statement, or when a file that was applied has
 * been changed since: a change of the schema is a new file.
 */
export async function migrate(
  client: ClickhouseClient,
  logger: Logger,
  options: MigrateOptions,
): Promise<Migration[]> {
  const values = templateValues(options);
  const run = (text: string): Promise<void> => client.command(fillTemplate(text, values));
  await run('CREATE DATABASE IF NOT EXISTS {{database}} {{on_cluster}}');
  await run(historyTable);
  const applied = await readHistory(client, options.database);
  const migrations: Migration[] = [];
  for (const file of (await readdir(options.folder)).filter((name) => fileForm.test(name)).sort()) {
    const text = await readFile(join(options.folder, file), 'utf8');
    const checksum = createHash('sha256').update(text).digest('hex');
    const known = applied.get(file);
    if (known !== undefined && known !== checksum) throw changed(file);
    if (known === undefined) {
      for (const statement of splitStatements(text)) await run(statement);
      await record(client, options.database, file, checksum);
      logger.info('clickhouse.migrated', { file, database: options.database });
    }
    migrations.push({ name: file, outcome: known === undefined ? 'applied' : 'present' });
  }
  const days = String(options.ttlDays);
  // A database that was never told keeps its points, which is what 0 says.
  if ((applied.get(ttlName) ?? '0') !== days) {
    await run(ttlStatement(options.ttlDays));
    await record(client, options.database, ttlName, days);
    logger.info('clickhouse.ttl_changed', { days: options.ttlDays, database: options.database });
    migrations.push({ name: ttlName, outcome: 'applied' });
  }
  return migrations;
}

const historyTable = `
CREATE TABLE IF NOT EXISTS {{database}}.schema_migrations {{on_cluster}}
(
    name       String,
    checksum   String COMMENT 'SHA-256 of the file, or the value of a setting',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {{replicated}}ReplacingMergeTree(applied_at)
ORDER BY name`;

function templateValues(options: MigrateOptions): Readonly<Record<string, string>> {
  const { cluster, database } = options;
  return {
    database: quoteIdentifier(database),
    on_cluster: cluster === undefined ? '' : `ON CLUSTER ${quoteIdentifier(cluster)}`,
    replicated: cluster === undefined ? '' : 'Replicated',
  };
}

async function readHistory(
  client: ClickhouseClient,
  database: string,
): Promise<ReadonlyMap<string, string>> {
  const rows = await client.query<{ name: string; checksum: string }>(
    `SELECT name, checksum FROM ${quoteIdentifier(database)}.schema_migrations FINAL`,
  );
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

async function record(
  client: ClickhouseClient,
  database: string,
  name: string,
  checksum: string,
): Promise<void> {
  await client.insertRows(`${quoteIdentifier(database)}.schema_migrations`, [{ name, checksum }]);
}

/**
 * Whole months are dropped when their youngest point is old enough. A point dated beyond 2100 goes
 * with those of 2100: the TTL is computed in 32-bit seconds and would wrap into the past.
 */
function ttlStatement(days: number): string {
  if (days === 0) return 'ALTER TABLE {{database}}.telemetry {{on_cluster}} REMOVE TTL';
  const age = `toDateTime(least(ts, toDateTime64('2100-01-01 00:00:00', 3, 'UTC')))`;
  return `ALTER TABLE {{database}}.telemetry {{on_cluster}}
    MODIFY TTL ${age} + INTERVAL ${days} DAY`;
}

function changed(file: string): NodeError {
  return new NodeError(
    'SLUICE_CLICKHOUSE_REFUSED',
    `cannot migrate the schema: ${file} was applied to this database in another version`,
    'Use the version of Sluice that made the database, or another clickhouse.database.',
  );
}
