import type { SqliteFile } from './sqlite.js';

const logBytesMax = 64 * 1024 * 1024;

/** What every connection to the registry's file sets; only the first line stays in the file. */
export function applySqliteSettings(file: SqliteFile): void {
  // Readers and one writer do not wait for each other.
  file.pragma('journal_mode = WAL');
  // A commit is synced before it returns and survives power loss; the library's default is less.
  file.pragma('synchronous = FULL');
  file.pragma('foreign_keys = ON');
  // The log is cut back to this after it has grown during an import.
  file.pragma(`journal_size_limit = ${logBytesMax}`);
}
