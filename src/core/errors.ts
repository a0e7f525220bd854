/**
 * Operating errors that an operator or a caller of the CLI reads: a stable code, what happened, and
 * what to do about it. The catalogue below is printed in the README; `test/tidy.test.ts` compares.
 */
export const errorCodes = Object.freeze({
  SLUICE_CONFIG_INVALID:
    'The configuration has problems; each is listed with its place and remedy.',
  SLUICE_PORT_TAKEN: 'A port is in use. Stop the other program or configure another port.',
  SLUICE_PORT_DENIED:
    'A port may not be bound by this user. Use one above 1023 or grant the right.',
  SLUICE_DATA_LOCKED: 'Another node uses this data directory. Stop it or use another --data-dir.',
  SLUICE_DATA_UNUSABLE: 'The data directory cannot be created or written.',
  SLUICE_BINARY_MISSING: 'A native library is missing for this platform or Node version.',
  SLUICE_CLICKHOUSE_UNREACHABLE: 'ClickHouse does not answer.',
  SLUICE_CLICKHOUSE_TOO_OLD: 'The ClickHouse server is older than 24.8.',
  SLUICE_CLICKHOUSE_REFUSED: 'ClickHouse refused a statement.',
  SLUICE_WORKER_FAILED:
    'A normalising worker ended; its batch was not stored, another worker starts.',
  SLUICE_JOURNAL_FAILED: 'The journal cannot write or sync; nothing is acknowledged until it can.',
  SLUICE_JOURNAL_FULL:
    'The disk or the journal is full; nothing is acknowledged until there is room again.',
  SLUICE_JOURNAL_BUSY: 'More waits for the disk than the journal may hold in memory.',
  SLUICE_JOURNAL_CORRUPT: 'A journal file is damaged; what is readable goes on, the rest is kept.',
  SLUICE_REGISTRY_FAILED: 'The registry cannot be opened or changed.',
  SLUICE_DEVICE_EXISTS: 'A device of this name exists.',
  SLUICE_DEVICE_UNKNOWN: 'No device has this name or id.',
  SLUICE_TOKEN_TAKEN: 'Another device has this access token.',
  SLUICE_PROFILE_EXISTS: 'A device profile of this name exists.',
  SLUICE_PROFILE_UNKNOWN: 'No device profile has this name or id.',
  SLUICE_PROFILE_IN_USE: 'Devices have this profile, or it is the one that must exist.',
  SLUICE_ARGUMENT_INVALID: 'A command was called with arguments it cannot use.',
  SLUICE_NODE_NOT_RUNNING: 'No node runs on this data directory. Start it with `sluice start`.',
  SLUICE_PUBLISH_FAILED: 'The test message was not acknowledged.',
});
export type ErrorCode = keyof typeof errorCodes;

/** An expected failure with a code, a sentence `cannot <verb> <noun>: <cause>`, and a remedy. */
export class NodeError extends Error {
  readonly code: ErrorCode;
  /** What the reader can do about it, one sentence; empty when there is nothing. */
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, remedy = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'NodeError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
