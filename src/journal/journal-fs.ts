/**
 * What the journal asks of a file system, and no more: `node-fs.ts` is the real one, the tests have
 * one that loses, tears and refuses. All calls reject with the system's error (`code` as in errno).
 */
export interface JournalFs {
  /** Creates the folder and its parents when they are missing. */
  makeDirectory(path: string): Promise<void>;
  /** Names of what lies in the folder, in no order. */
  list(path: string): Promise<string[]>;
  open(path: string, mode: OpenMode): Promise<JournalFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** After it, the renames, creations and removals so far survive a loss of power. */
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<{ readonly totalBytes: number; readonly availableBytes: number }>;
}

/**
 * `read`: as it is. `create`: a new file, an error when the name is taken. `durable`: an existing
 * file whose `write` returns when the bytes are on the device.
 */
export type OpenMode = 'read' | 'create' | 'durable';

export interface JournalFile {
  size(): Promise<number>;
  /** Fills `into` from `position`; fewer bytes only where the file ends. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `buffers`, or rejects with any part of them written. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Makes earlier writes durable; for files that were not opened as `durable`. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The errno name of a rejection, '' when it has none. */
export function errorCodeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** True for the errors that mean "no space left". */
export function isSpaceError(thrown: unknown): boolean {
  const code = errorCodeOf(thrown);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
