/** A segment whose end is fixed: what the journal knows of it while nobody reads it. */
export interface SealedFile {
  readonly name: string;
  readonly journalId: number;
  readonly number: number;
  readonly path: string;
  /** Where its last record ends. */
  readonly end: number;
  readonly fileBytes: number;
  /** Wall-clock time of its first record, or of the file's preparation if it was found at start. */
  readonly sinceMs: number;
  /** Found at start: it may have been shipped before. */
  readonly recovered: boolean;
  /** False when the file failed once, and is removed rather than written again. */
  readonly recyclable: boolean;
}
