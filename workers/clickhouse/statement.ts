import { Failure } from './failure.js';
import { nextToken, skipBlank, type Token, TokenKind } from './lexer.js';

/**
 * What the shim must know about a statement before the engine may see it: is it one statement, is
 * it an INSERT that carries data, and where does the data begin. Data never reaches the engine's
 * parser: it ends inline data at a blank line and runs what follows as SQL.
 */
export type Statement =
  /** Nothing but white space and comments so far. */
  | { readonly kind: 'empty' }
  /** The text so far does not tell; read more of the body. */
  | { readonly kind: 'incomplete' }
  /** Hand `text` to the engine as it is. */
  | {
      readonly kind: 'query';
      /** First word, upper case. */
      readonly keyword: string;
      readonly text: string;
      /** The name after FORMAT, undefined when the statement has none. */
      readonly format: string | undefined;
    }
  /** `INSERT INTO t <options> FORMAT f`, its data from the byte `dataAt` of the text. */
  | {
      readonly kind: 'insert';
      /** `INSERT INTO t (a, b)` */
      readonly into: string;
      /** `SETTINGS a = 1` or nothing. */
      readonly settings: string;
      readonly format: string;
      readonly dataAt: number;
    };

const notImplemented = 48;
const syntaxError = 62;
const outfileNotAllowed = 358;

/**
 * Reads `text` (latin1, the start of a request). `whole` says that nothing follows.
 * Throws a `Failure` for what this interface refuses.
 */
export function readStatement(text: string, whole: boolean): Statement {
  const first = nextToken(text, 0);
  if (first.kind === TokenKind.end) return { kind: whole ? 'empty' : 'incomplete' };
  if (!first.complete && !whole) return { kind: 'incomplete' };
  if (first.word === 'INSERT') return readInsert(text, first, whole);
  return whole ? readQuery(text, first) : { kind: 'incomplete' };
}

function readInsert(text: string, first: Token, whole: boolean): Statement {
  let settingsAt = -1;
  let depth = 0;
  let token = skipTarget(text, first);
  for (;;) {
    if (token.kind === TokenKind.end || (!token.complete && !whole)) break;
    if (token.kind === TokenKind.symbol) {
      if ('([{'.includes(token.word)) depth += 1;
      else if (')]}'.includes(token.word)) depth -= 1;
      else if (token.word === ';') break;
    } else if (token.kind === TokenKind.word && depth === 0) {
      const at = token.start;
      const head = (): Pick<InsertStatement, 'into' | 'settings'> => ({
        into: text.slice(first.start, settingsAt < 0 ? at : settingsAt),
        settings: settingsAt < 0 ? '' : text.slice(settingsAt, at),
      });
      if (token.word === 'SETTINGS' && settingsAt < 0) settingsAt = at;
      if (token.word === 'VALUES') {
        return { kind: 'insert', ...head(), format: 'Values', dataAt: token.end };
      }
      if (token.word === 'FORMAT') {
        const name = nextToken(text, token.end);
        if (!name.complete && !whole) break;
        if (name.kind !== TokenKind.word) throw syntax(text, name.start);
        const format = text.slice(name.start, name.end);
        return { kind: 'insert', ...head(), format, dataAt: startOfData(text, name.end) };
      }
      if (token.word === 'SELECT' || token.word === 'WITH' || token.word === 'FROM') break;
    } else if (
      token.kind === TokenKind.word &&
      (token.word === 'SELECT' || token.word === 'WITH')
    ) {
      break;
    }
    token = nextToken(text, token.end);
  }
  return whole ? readQuery(text, first) : { kind: 'incomplete' };
}

type InsertStatement = Extract<Statement, { kind: 'insert' }>;

/** Steps over `INTO [TABLE] [FUNCTION] name[.name]`, so that a table may be called `format`. */
function skipTarget(text: string, insert: Token): Token {
  let token = nextToken(text, insert.end);
  if (token.word === 'INTO') token = nextToken(text, token.end);
  for (const noise of ['TABLE', 'FUNCTION']) {
    if (token.word !== noise) continue;
    const after = nextToken(text, token.end);
    const named = after.kind === TokenKind.word || after.kind === TokenKind.quoted;
    if (named || after.word === '{') token = after;
  }
  for (;;) {
    if (token.word === '{') return token;
    token = nextToken(text, token.end);
    if (token.word !== '.') return token;
    token = nextToken(text, token.end);
  }
}

/** ClickHouse: data starts after the first line end, or else after the blanks behind the name. */
function startOfData(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\f'.includes(text.charAt(at))) at += 1;
  if (text.charAt(at) === ';') throw syntax(text, at);
  if (text.charAt(at) === '\r') at += 1;
  if (text.charAt(at) === '\n') at += 1;
  return at;
}

/** Words before FORMAT that make it a column's name instead of the clause. */
const notBeforeClause = new Set(['SELECT', 'AS', 'BY', 'AND', 'OR', 'NOT', 'DISTINCT', 'WHERE']);

function readQuery(text: string, first: Token): Statement {
  const isInsert = first.word === 'INSERT';
  let end = text.length;
  let format: string | undefined;
  let before = first;
  for (let token = nextToken(text, first.end); token.kind !== TokenKind.end; ) {
    const after = nextToken(text, token.end);
    if (!token.complete && token.end === text.length && token.kind !== TokenKind.word) {
      throw syntax(text, token.start);
    }
    if (token.word === ';') {
      end = token.start;
      requireNothingAfter(text, token.end);
      break;
    }
    if (token.word === 'INSERT' && before.word !== '.') refuseInner(first.word, after.word);
    if (token.kind === TokenKind.word && after.kind === TokenKind.word) {
      refusePair(token.word, after.word);
      if (token.word === 'FORMAT' && clauseMayFollow(before)) {
        if (isInsert) throw refused('FORMAT behind INSERT … SELECT (the function input)');
        format = text.slice(after.start, after.end);
      }
    }
    before = token;
    token = after;
  }
  return { kind: 'query', keyword: first.word, text: text.slice(first.start, end), format };
}

function clauseMayFollow(before: Token): boolean {
  if (before.kind === TokenKind.word) return !notBeforeClause.has(before.word);
  return before.kind !== TokenKind.symbol || ')]}*'.includes(before.word);
}

function refusePair(word: string, next: string): void {
  if (word === 'INTO' && next === 'OUTFILE') {
    throw new Failure(outfileNotAllowed, 'INTO_OUTFILE_NOT_ALLOWED', 'INTO OUTFILE is not allowed');
  }
  if (word === 'FROM' && next === 'INFILE') throw refused('FROM INFILE reads files of the server');
  if (word === 'PARALLEL' && next === 'WITH') throw refused('PARALLEL WITH');
}

/** An INSERT inside another statement could carry inline data past `readInsert`. */
function refuseInner(first: string, next: string): void {
  const carries = first === 'EXPLAIN' || first === 'WITH' || first === 'INSERT';
  if (carries || next === 'INTO') throw refused(`INSERT behind ${first}`);
}

function requireNothingAfter(text: string, from: number): void {
  let at = skipBlank(text, from);
  while (text.charAt(at) === ';') at = skipBlank(text, at + 1);
  if (at < text.length) {
    throw new Failure(
      syntaxError,
      'SYNTAX_ERROR',
      `Syntax error (Multi-statements are not allowed): failed at position ${at + 1}`,
    );
  }
}

function syntax(text: string, at: number): Failure {
  const rest = Buffer.from(text.slice(at, at + 40), 'latin1').toString('utf8');
  return new Failure(
    syntaxError,
    'SYNTAX_ERROR',
    `Syntax error: failed at position ${at + 1}: ${rest}`,
  );
}

function refused(what: string): Failure {
  return new Failure(
    notImplemented,
    'NOT_IMPLEMENTED',
    `${what} is not supported by the embedded ClickHouse`,
  );
}
