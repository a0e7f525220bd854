import type { NodeError } from '../core/errors.js';

/** One device to import. Undefined means not stated: a default, or whatever the device has. */
export interface ImportRow {
  readonly name: string;
  readonly token: string | undefined;
  readonly profile: string | undefined;
  readonly label: string | undefined;
  readonly gateway: boolean | undefined;
}

export interface ImportOptions {
  /** Checks everything and stores nothing. */
  readonly dryRun: boolean;
}

export type ImportOutcome =
  | { readonly kind: 'created' }
  /** A device of this name exists and agrees with everything stated. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly error: NodeError };

/**
 * An import under way. Rows may be added again after an interruption: those that were stored are
 * `unchanged`. Profiles that do not exist are created.
 */
export interface DeviceImport {
  /** Stores the good rows in one transaction; one outcome per row, in order. ≤ 10,000 rows. */
  add(rows: readonly ImportRow[]): Promise<ImportOutcome[]>;
  /** Names of the profiles that were (dry run: would be) created so far. */
  profilesCreated(): readonly string[];
  /** Ends the import; frees what a dry run remembered. */
  finish(): Promise<void>;
}
