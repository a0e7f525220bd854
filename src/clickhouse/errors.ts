/**
 * Decides for every failed insert whether the same bytes are worth sending again. Nothing else in
 * the node decides that.
 *
 *   retry   the cause is the server, the network or the configuration: the segment waits
 *   reject  the server understood the segment and will refuse these bytes for ever
 *
 * What is not in the table is retried and marked `known: false`, so that the caller raises an
 * alarm: a wrong retry delays data, a wrong reject loses it.
 */
export interface Verdict {
  readonly verdict: 'retry' | 'reject';
  /** ClickHouse's number, or Node's name of a network error; the label of metrics. */
  readonly code: string;
  /** ClickHouse's name such as TOO_MANY_PARTS; for network errors the same as `code`. */
  readonly name: string;
  readonly message: string;
  readonly known: boolean;
}

type Row = readonly [code: number, name: string, verdict: 'retry' | 'reject'];

/** https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
const rows: readonly Row[] = [
  // The bytes of the block are at fault.
  [6, 'CANNOT_PARSE_TEXT', 'reject'],
  [9, 'SIZES_OF_COLUMNS_DOESNT_MATCH', 'reject'],
  [13, 'SIZES_OF_COLUMNS_IN_TUPLE_DOESNT_MATCH', 'reject'],
  [25, 'CANNOT_PARSE_ESCAPE_SEQUENCE', 'reject'],
  [26, 'CANNOT_PARSE_QUOTED_STRING', 'reject'],
  [27, 'CANNOT_PARSE_INPUT_ASSERTION_FAILED', 'reject'],
  [32, 'ATTEMPT_TO_READ_AFTER_EOF', 'reject'],
  [33, 'CANNOT_READ_ALL_DATA', 'reject'],
  [38, 'CANNOT_PARSE_DATE', 'reject'],
  [41, 'CANNOT_PARSE_DATETIME', 'reject'],
  [43, 'ILLEGAL_TYPE_OF_ARGUMENT', 'reject'],
  [44, 'ILLEGAL_COLUMN', 'reject'],
  [50, 'UNKNOWN_TYPE', 'reject'],
  [53, 'TYPE_MISMATCH', 'reject'],
  [69, 'ARGUMENT_OUT_OF_BOUND', 'reject'],
  [70, 'CANNOT_CONVERT_TYPE', 'reject'],
  [72, 'CANNOT_PARSE_NUMBER', 'reject'],
  [117, 'INCORRECT_DATA', 'reject'],
  [128, 'TOO_LARGE_ARRAY_SIZE', 'reject'],
  [131, 'TOO_LARGE_STRING_SIZE', 'reject'],
  [321, 'VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE', 'reject'],
  [349, 'CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN', 'reject'],
  [376, 'CANNOT_PARSE_UUID', 'reject'],
  [395, 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO', 'reject'],
  [407, 'DECIMAL_OVERFLOW', 'reject'],
  [467, 'CANNOT_PARSE_BOOL', 'reject'],
  [469, 'VIOLATED_CONSTRAINT', 'reject'],
  [691, 'UNKNOWN_ELEMENT_OF_ENUM', 'reject'],
  [229, 'QUERY_IS_TOO_LARGE', 'reject'], // more bytes than a body may have: bisecting helps

  // The schema or the rights are not what the node needs: an operator mends that, the bytes are
  // good.
  [10, 'NOT_FOUND_COLUMN_IN_BLOCK', 'retry'],
  [16, 'NO_SUCH_COLUMN_IN_TABLE', 'retry'],
  [20, 'NUMBER_OF_COLUMNS_DOESNT_MATCH', 'retry'],
  [46, 'UNKNOWN_FUNCTION', 'retry'],
  [47, 'UNKNOWN_IDENTIFIER', 'retry'],
  [48, 'NOT_IMPLEMENTED', 'retry'],
  [60, 'UNKNOWN_TABLE', 'retry'],
  [62, 'SYNTAX_ERROR', 'retry'],
  [73, 'UNKNOWN_FORMAT', 'retry'],
  [81, 'UNKNOWN_DATABASE', 'retry'],
  [115, 'UNKNOWN_SETTING', 'retry'],
  [164, 'READONLY', 'retry'],
  [192, 'UNKNOWN_USER', 'retry'],
  [193, 'WRONG_PASSWORD', 'retry'],
  [194, 'REQUIRED_PASSWORD', 'retry'],
  [195, 'IP_ADDRESS_NOT_ALLOWED', 'retry'],
  [201, 'QUOTA_EXCEEDED', 'retry'],
  [291, 'DATABASE_ACCESS_DENIED', 'retry'],
  [452, 'SETTING_CONSTRAINT_VIOLATION', 'retry'],
  [497, 'ACCESS_DENIED', 'retry'],
  [516, 'AUTHENTICATION_FAILED', 'retry'],

  // The server is busy, small, stopping or ill.
  [3, 'UNEXPECTED_END_OF_FILE', 'retry'],
  [74, 'CANNOT_READ_FROM_FILE_DESCRIPTOR', 'retry'],
  [75, 'CANNOT_WRITE_TO_FILE_DESCRIPTOR', 'retry'],
  [76, 'CANNOT_OPEN_FILE', 'retry'],
  [107, 'FILE_DOESNT_EXIST', 'retry'],
  [158, 'TOO_MANY_ROWS', 'retry'],
  [159, 'TIMEOUT_EXCEEDED', 'retry'],
  [160, 'TOO_SLOW', 'retry'],
  [173, 'CANNOT_ALLOCATE_MEMORY', 'retry'],
  [198, 'DNS_ERROR', 'retry'],
  [202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'retry'],
  [203, 'NO_FREE_CONNECTION', 'retry'],
  [204, 'CANNOT_FSYNC', 'retry'],
  [209, 'SOCKET_TIMEOUT', 'retry'],
  [210, 'NETWORK_ERROR', 'retry'],
  [216, 'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', 'retry'],
  [218, 'TABLE_IS_DROPPED', 'retry'],
  [236, 'ABORTED', 'retry'],
  [241, 'MEMORY_LIMIT_EXCEEDED', 'retry'],
  [243, 'NOT_ENOUGH_SPACE', 'retry'],
  [252, 'TOO_MANY_PARTS', 'retry'], // merges are behind: back-pressure
  [290, 'LIMIT_EXCEEDED', 'retry'],
  [307, 'TOO_MANY_BYTES', 'retry'],
  [354, 'ZLIB_INFLATE_FAILED', 'retry'],
  [364, 'RECEIVED_ERROR_TOO_MANY_REQUESTS', 'retry'],
  [384, 'PART_IS_TEMPORARILY_LOCKED', 'retry'],
  [394, 'QUERY_WAS_CANCELLED', 'retry'],
  [425, 'SYSTEM_ERROR', 'retry'],
  [439, 'CANNOT_SCHEDULE_TASK', 'retry'],
  [473, 'DEADLOCK_AVOIDED', 'retry'],
  [574, 'DISTRIBUTED_TOO_MANY_PENDING_BYTES', 'retry'],
  [677, 'THREAD_WAS_CANCELED', 'retry'],
  [692, 'TOO_MANY_MUTATIONS', 'retry'],
  [735, 'QUERY_WAS_CANCELLED_BY_CLIENT', 'retry'],
  [745, 'SERVER_OVERLOADED', 'retry'],
  [999, 'KEEPER_EXCEPTION', 'retry'],

  // Replicas: the same token on the same or another replica is safe.
  [225, 'NO_ZOOKEEPER', 'retry'],
  [242, 'TABLE_IS_READ_ONLY', 'retry'],
  [244, 'UNEXPECTED_ZOOKEEPER_ERROR', 'retry'],
  [254, 'NO_ACTIVE_REPLICAS', 'retry'],
  [265, 'NO_AVAILABLE_REPLICA', 'retry'],
  [279, 'ALL_CONNECTION_TRIES_FAILED', 'retry'],
  [285, 'TOO_FEW_LIVE_REPLICAS', 'retry'],
  [286, 'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE', 'retry'],
  [289, 'REPLICA_IS_NOT_IN_QUORUM', 'retry'],
  [319, 'UNKNOWN_STATUS_OF_INSERT', 'retry'],
  [415, 'ALL_REPLICAS_LOST', 'retry'],
  [416, 'REPLICA_STATUS_CHANGED', 'retry'],
];

const byCode: ReadonlyMap<string, Row> = new Map(rows.map((row) => [String(row[0]), row]));

const chainMax = 8;
const networkForm = /^(E[A-Z]{2,}|ERR_|HPE_|CERT_|DEPTH_|UNABLE_|SELF_)/;
const silenceForm = /timeout|timed out|aborted|socket hang up/i;

/**
 * What to do after `thrown`: reads ClickHouse's errors, Node's network errors, and their causes.
 */
export function classify(thrown: unknown): Verdict {
  const chain: Error[] = [];
  for (let error = thrown; error instanceof Error && chain.length < chainMax; error = error.cause) {
    chain.push(error);
  }
  for (const error of chain) {
    const { code, type } = error as { code?: unknown; type?: unknown };
    if (typeof code !== 'string') continue;
    if (/^\d+$/.test(code)) {
      const row = byCode.get(code);
      // Our own name first: the transport takes it from the text, where a query may stand before
      // it.
      const name = row?.[1] ?? (typeof type === 'string' ? type : 'UNKNOWN');
      const verdict = row?.[2] ?? 'retry';
      return { verdict, code, name, message: error.message, known: row !== undefined };
    }
    if (networkForm.test(code)) return retry(code, error.message, true);
  }
  for (const { name, message } of chain) {
    if (name === 'AbortError' || silenceForm.test(message)) return retry('TIMEOUT', message, true);
  }
  return retry('UNKNOWN', chain[0]?.message ?? String(thrown), false);
}

function retry(code: string, message: string, known: boolean): Verdict {
  return { verdict: 'retry', code, name: code, message, known };
}
