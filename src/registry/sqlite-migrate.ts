import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeError } from '../core/errors.js';
import { packageRoot } from '../core/package-root.js';
import type { SqliteFile } from './sqlite.js';

const fileForm = /^(\d{3})_[a-z0-9_]+\.sql$/;

interface Migration {
  readonly number: number;
  readonly file: string;
}

/**
 * Applies the files of `schema/registry/sqlite` that the database has not seen, in order, each in a
 * transaction of its own together with `user_version`, the number of the last one applied. Two
 * processes may do this at once. Returns the names of the files that were applied.
 */
export async function migrateSqlite(
  file: SqliteFile,
  folder: string = join(packageRoot(), 'schema', 'registry', 'sqlite'),
): Promise<string[]> {
  const migrations = listMigrations(folder);
  const newest = migrations.at(-1)?.number ?? 0;
  const version = (): number => file.pragma('user_version') as number;
  const found = await file.read('read the registry’s version', version);
  if (found > newest) {
    throw new NodeError(
      'SLUICE_REGISTRY_FAILED',
      `cannot open the registry: its schema is version ${found}, this program knows ${newest}`,
      'Use the newer version of the program that made it.',
    );
  }
  const applied: string[] = [];
  for (const migration of migrations.filter(({ number }) => number > found)) {
    const sql = readFileSync(join(folder, migration.file), 'utf8');
    await file.write(`apply ${migration.file}`, () => {
      // Looked at again under the lock: another process may have been faster.
      if (version() >= migration.number) return;
      file.execute(sql);
      file.pragma(`user_version = ${migration.number}`);
      applied.push(migration.file);
    });
  }
  return applied;
}

function listMigrations(folder: string): Migration[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const match = fileForm.exec(file);
      return match === null ? [] : [{ number: Number(match[1]), file }];
    });
}
