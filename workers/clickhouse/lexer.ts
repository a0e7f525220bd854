/**
 * Splits ClickHouse SQL into tokens, as far as `statement.ts` needs them. It works on text decoded
 * as latin1, so that one character is one byte and an offset into the text is an offset into the
 * body. Quoting follows ClickHouse's own lexer: backslashes escape inside every kind of quote, a
 * doubled quote stands for itself, heredocs are `$tag$ … $tag$`.
 */
export const TokenKind = { word: 0, quoted: 1, string: 2, symbol: 3, end: 4 } as const;
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind];

export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  /** Upper-case spelling of a word, the character of a symbol, '' for the rest. */
  readonly word: string;
  /** False when the text ended inside the token, so that more text could change it. */
  readonly complete: boolean;
}

const wordForm = /[A-Za-z0-9_]/;

/** The first token at or after `from`; kind `end` when only white space and comments follow. */
export function nextToken(text: string, from: number): Token {
  const at = skipBlank(text, from);
  if (at >= text.length) return token(text, TokenKind.end, text.length, text.length, '', false);
  const c = text.charAt(at);
  if (c === "'") return quoted(text, at, "'", TokenKind.string);
  if (c === '"' || c === '`') return quoted(text, at, c, TokenKind.quoted);
  if (c === '$') {
    const heredoc = endOfHeredoc(text, at);
    if (heredoc !== 0) {
      const end = Math.abs(heredoc);
      return token(text, TokenKind.string, at, end, '', heredoc > 0);
    }
  }
  if (wordForm.test(c)) {
    let end = at + 1;
    while (end < text.length && wordForm.test(text.charAt(end))) end += 1;
    const word = text.slice(at, end).toUpperCase();
    return token(text, TokenKind.word, at, end, word, end < text.length);
  }
  return token(text, TokenKind.symbol, at, at + 1, c, true);
}

/** The offset of the first byte that is neither white space nor part of a comment. */
export function skipBlank(text: string, from: number): number {
  let at = from;
  for (;;) {
    while (at < text.length && isBlank(text.charCodeAt(at))) at += 1;
    if (text.startsWith('--', at) || text.startsWith('# ', at) || text.startsWith('#!', at)) {
      const newline = text.indexOf('\n', at);
      if (newline < 0) return text.length;
      at = newline + 1;
    } else if (text.startsWith('/*', at)) {
      const close = text.indexOf('*/', at + 2);
      if (close < 0) return text.length;
      at = close + 2;
    } else {
      return at;
    }
  }
}

/** White space as ClickHouse has it, NUL and the no-break space included. */
function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 9 && code <= 13) || code === 0 || code === 0xa0;
}

function quoted(text: string, at: number, quote: string, kind: TokenKind): Token {
  let end = at + 1;
  while (end < text.length) {
    const c = text.charAt(end);
    if (c === '\\') {
      end += 2;
    } else if (c !== quote) {
      end += 1;
    } else if (text.charAt(end + 1) === quote) {
      end += 2;
    } else {
      return token(text, kind, at, end + 1, '', true);
    }
  }
  return token(text, kind, at, text.length, '', false);
}

/** End of the heredoc at `at`, negative when it is not closed, 0 when there is none. */
function endOfHeredoc(text: string, at: number): number {
  let tagEnd = at + 1;
  while (tagEnd < text.length && wordForm.test(text.charAt(tagEnd))) tagEnd += 1;
  if (text.charAt(tagEnd) !== '$') return 0;
  const tag = text.slice(at, tagEnd + 1);
  const close = text.indexOf(tag, tagEnd + 1);
  return close < 0 ? -text.length : close + tag.length;
}

function token(
  text: string,
  kind: TokenKind,
  start: number,
  end: number,
  word: string,
  complete: boolean,
): Token {
  return { kind, start, end: Math.min(end, text.length), word, complete };
}
