import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import { messageOf, NodeError } from '../core/errors.js';
import { readNodeFile } from '../registry/data-dir.js';

/** The ClickHouse that holds the points, as `sluice sql` reaches it. */
export interface SqlTarget {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** PEM text of the authority that signed the server's certificate. */
  readonly ca: string | undefined;
}

/** The configured server, else the embedded one of the node that runs on `dataDir`. */
export async function findSqlTarget(config: Config, dataDir: string): Promise<SqlTarget> {
  const { url, user, database, password = '', caFile } = config.clickhouse;
  if (url !== undefined) {
    const ca = caFile === undefined ? undefined : readText(caFile, 'Correct clickhouse.caFile.');
    return { url, user, password, database, ca };
  }
  const node = await readNodeFile(dataDir);
  const port = node?.ports['clickhouse'];
  if (port === undefined) {
    throw new NodeError(
      'SLUICE_NODE_NOT_RUNNING',
      `cannot query ClickHouse: no node with an embedded ClickHouse runs on ${dataDir}`,
      'Start it with `sluice start`, name its --data-dir, or give --clickhouse.url.',
    );
  }
  const remedy = 'Run the command as the user that runs the node.';
  const secret = readText(join(dataDir, 'clickhouse.password'), remedy).trim();
  return { url: `http://127.0.0.1:${port}`, user, password: secret, database, ca: undefined };
}

function readText(path: string, remedy: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const message = `cannot read ${path}: ${messageOf(thrown)}`;
    throw new NodeError('SLUICE_CLICKHOUSE_UNREACHABLE', message, remedy, thrown);
  }
}
