import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedClickhouse, type EmbeddedOptions } from '../../src/clickhouse/embedded.js';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';

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
