import type { Source } from './sources.js';

export interface FunctionSpan {
  /** `path:line` of its first line. */
  readonly place: string;
  readonly lines: number;
}

const controlWord = /^(?:\}|(?:if|for|while|switch|catch|else|do|try|class|interface)\b)/;
const functionEnd = /(?:=>|\)(?:: .+)?) \{$/;

/**
 * Every function with a body of its own lines. Leans on the formatter: a body opens at the end of a
 * line, and the line that closes it starts with a brace at the indentation of its head.
 */
export function functionsOf(source: Source): FunctionSpan[] {
  const lines = source.code.split('\n').map((line) => line.trimEnd());
  return lines.flatMap((line, index) => {
    if (!functionEnd.test(line)) return [];
    const head = headOf(lines, index);
    const text = lines[head]?.trim() ?? '';
    // A group of tests is a file's chapter, not a function.
    if (controlWord.test(text) || /\b(?:describe|suite)\(/.test(text)) return [];
    const end = closingOf(lines, index);
    return [{ place: `${source.path}:${head + 1}`, lines: end - head + 1 }];
  });
}

/** Where the statement begins whose parameter list ends on this line. */
function headOf(lines: readonly string[], index: number): number {
  const line = lines[index] ?? '';
  if (!/^\s*[)\]>]/.test(line)) return index;
  const indentation = indentationOf(line);
  let head = index - 1;
  while (head > 0 && (lines[head] === '' || indentationOf(lines[head] ?? '') > indentation)) {
    head -= 1;
  }
  return head;
}

function closingOf(lines: readonly string[], index: number): number {
  const closing = `${' '.repeat(indentationOf(lines[index] ?? ''))}}`;
  const end = lines.findIndex((line, at) => at > index && line.startsWith(closing));
  return end < 0 ? lines.length - 1 : end;
}

function indentationOf(line: string): number {
  return line.length - line.trimStart().length;
}
