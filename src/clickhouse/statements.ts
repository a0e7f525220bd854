/**
 * The statements of one of our schema files: they end with a semicolon at the end of a line, and
 * comments are whole lines. This is no SQL parser; it only ever reads `schema/clickhouse`.
 */
export function splitStatements(text: string): string[] {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('--'));
  return lines
    .join('\n')
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

/** Puts values in the place of `{{name}}`; `{name:Type}` is ClickHouse's own and stays. */
export function fillTemplate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => values[name] ?? `{{${name}}}`);
}

/** An identifier, quoted. */
export function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
