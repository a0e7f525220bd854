/** A source text seen three ways; all views have the length and line breaks of the text. */
export interface Views {
  /** Comments and the contents of strings, templates and regular expressions are spaces. */
  readonly code: string;
  /** Only comments are spaces. */
  readonly uncommented: string;
  /** Everything but comments is spaces. */
  readonly comments: string;
}

const beforeRegexp =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|void|throw|else|do))$/;
const regexp = /\/(?:\\.|\[(?:\\.|[^\]\n\\])*\]|[^/\n\\[])+\//y;
const quoted = /(['"])(?:\\[\s\S]|(?!\1)[^\n\\])*\1/y;
const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
/** The contents of a template up to `${` or its end. */
const templatePiece = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y;

/** Tells comments, strings and code apart, as far as formatted TypeScript needs. */
export function viewsOf(text: string): Views {
  const reader = new Reader(text);
  reader.read();
  return { code: reader.code, uncommented: reader.uncommented, comments: reader.comments };
}

/** `text` is what stands between the marks of a template. */
type Kind = 'code' | 'comment' | 'string' | 'text';

class Reader {
  code = '';
  uncommented = '';
  comments = '';
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads to the end, or to the `}` that closes a template's `${`. */
  read(inTemplate = false): void {
    for (let depth = 0; this.#at < this.#text.length; ) {
      const character = this.#text.charAt(this.#at);
      if (this.#take(comment, 'comment')) continue;
      if (this.#take(quoted, 'string')) continue;
      if (character === '/' && this.#regexp()) continue;
      if (character === '`') {
        this.#template();
        continue;
      }
      if (character === '}' && inTemplate && depth === 0) return;
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      this.#add(character, 'code');
    }
  }

  #regexp(): boolean {
    return beforeRegexp.test(this.code.trimEnd()) && this.#take(regexp, 'string');
  }

  #template(): void {
    this.#add('`', 'code');
    while (this.#at < this.#text.length) {
      this.#take(templatePiece, 'text');
      const ended = this.#text.startsWith('`', this.#at);
      this.#add(ended ? '`' : '${', 'code');
      if (ended) return;
      this.read(true);
      this.#add('}', 'code');
    }
  }

  #take(pattern: RegExp, kind: Kind): boolean {
    pattern.lastIndex = this.#at;
    const piece = pattern.exec(this.#text)?.[0];
    if (piece === undefined || piece === '') return false;
    this.#add(piece, kind);
    return true;
  }

  #add(piece: string, kind: Kind): void {
    const blank = piece.replaceAll(/[^\n]/g, ' ');
    this.#at += piece.length;
    this.code += kind === 'code' ? piece : kind === 'string' ? edged(piece, blank) : blank;
    this.uncommented += kind === 'comment' ? blank : piece;
    this.comments += kind === 'comment' ? piece : blank;
  }
}

/** A string keeps its delimiters, so that `f('…')` still reads as a call with one argument. */
function edged(piece: string, blank: string): string {
  return `${piece.charAt(0)}${blank.slice(1, -1)}${piece.at(-1)}`;
}
