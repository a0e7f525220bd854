/**
 * An error as ClickHouse words it: number, name and sentence. The HTTP status of a number follows
 * ClickHouse's own table (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp), with one difference: too
 * many queries is 503 here, because that is what it means to a client.
 */
export class Failure extends Error {
  readonly code: number;
  /** ClickHouse's name of the code, such as SYNTAX_ERROR. */
  readonly codeName: string;

  constructor(code: number, codeName: string, message: string) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.codeName = codeName;
  }
}

/** The text a client reads: `Code: 62. DB::Exception: … (SYNTAX_ERROR) (version 26.7.2.1)`. */
export function failureText(failure: Failure, version: string): string {
  const { code, codeName, message } = failure;
  const build = `(version ${version} (official build))`;
  return `Code: ${code}. DB::Exception: ${message} (${codeName}) ${build}\n`;
}

const unknownException = 1002;
const engineForm = /^Code: (\d+)\. DB::Exception: ([\s\S]*)$/;
const nameForm = / \(([A-Z][A-Z0-9_]+)\)\s*$/;
const nestedForm = /^Code: \d+\. DB::Exception: /;
/** What this process adds to statements and file names is not the client's to see. */
const markForm = /\s*\/\* sluice statement \d+ \*\//g;
const bodyForm = /\(in file\/uri [^()]*\/body-\d+\)/g;
const versionForm = / \(version [^()]*(?:\([^()]*\))?\)\.?\s*/g;

/** Reads what the engine threw; anything that is not in its form becomes code 1002. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const parts = engineForm.exec(text);
  if (parts === null) return new Failure(unknownException, 'UNKNOWN_EXCEPTION', text);
  let message = (parts[2] ?? '').replace(versionForm, ' ').replace(nestedForm, '').trim();
  const name = nameForm.exec(message);
  if (name !== null) message = message.slice(0, name.index).trim();
  message = message.replace(markForm, '').replace(bodyForm, '(in the request body)');
  return new Failure(Number(parts[1]), name?.[1] ?? 'UNKNOWN_EXCEPTION', message);
}

const byStatus: ReadonlyArray<readonly [status: number, codes: readonly number[]]> = [
  [401, [194]],
  [403, [192, 193, 497, 512, 516]],
  [
    400,
    [
      6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427,
      441, 675, 676,
    ],
  ],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]],
  [408, [159]],
  [411, [381]],
  [413, [229]],
  [501, [48]],
  [503, [76, 202, 209, 439]],
];

const statuses: ReadonlyMap<number, number> = new Map(
  byStatus.flatMap(([status, codes]) => codes.map((code) => [code, status] as const)),
);

/** The HTTP status for ClickHouse's error number; 500 for those without one of their own. */
export function statusOfCode(code: number): number {
  return statuses.get(code) ?? 500;
}
