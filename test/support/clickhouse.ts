import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClickhouseClient } from '../../src/clickhouse/client.js';
import { EmbeddedClickhouse, type EmbeddedOptions } from '../../src/clickhouse/embedded.js';
import { migrate } from '../../src/clickhouse/migrate.js';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { packageRoot } from '../../src/core/package-root.js';

export const schemaFolder = join(packageRoot(), 'schema', 'clickhouse');

/** An embedded ClickHouse in a folder of its own, on a free port. */
export interface TestClickhouse {
  readonly embedded: EmbeddedClickhouse;
  readonly folder: string;
  /** The SQL's answer as text, through plain HTTP; throws the error text of a refusal. */
  sql(text: string, parameters?: Readonly<Record<string, string>>): Promise<string>;
  /** Ends the process and removes the folder. */
  remove(): Promise<void>;
}

export async function startClickhouse(
  options: Partial<EmbeddedOptions> = {},
): Promise<TestClickhouse> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-clickhouse-'));
  const embedded = await EmbeddedClickhouse.start(systemClock(), silentLogger, {
    directory: join(folder, 'clickhouse'),
    passwordFile: join(folder, 'clickhouse.password'),
    host: '127.0.0.1',
    port: 0,
    user: 'default',
    database: 'sluice',
    memoryBytesMax: 1024 * 1024 * 1024,
    ...options,
  });
  return {
    embedded,
    folder,
    async sql(text, parameters = {}): Promise<string> {
      const url = `${embedded.url}/?${new URLSearchParams(parameters)}`;
      const response = await fetch(url, {
        method: 'POST',
        body: text,
        headers: { 'X-ClickHouse-User': embedded.user, 'X-ClickHouse-Key': embedded.password },
      });
      const answer = await response.text();
      if (!response.ok) throw new Error(answer);
      return answer;
    },
    async remove(): Promise<void> {
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client of the store; `database` '' names none. */
export function connectTo(
  store: TestClickhouse,
  database = 'sluice',
  urls: readonly string[] = [store.embedded.url],
): ClickhouseClient {
  const { user, password } = store.embedded;
  return new ClickhouseClient({
    urls,
    user,
    password,
    database,
    ca: undefined,
    cluster: undefined,
  });
}

/** Applies the node's schema to the database `sluice`. */
export async function migrateTo(store: TestClickhouse): Promise<void> {
  const client = connectTo(store, '');
  const options = { folder: schemaFolder, database: 'sluice', cluster: undefined, ttlDays: 0 };
  await migrate(client, silentLogger, options);
  await client.close();
}
