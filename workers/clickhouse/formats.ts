/** What HTTP says about an output format, and whether its blocks may be sent one by one. */
const contentTypes: ReadonlyArray<readonly [form: RegExp, type: string]> = [
  [/^JSON(Strings|Compact|CompactStrings)?EachRow|^JSONLines$|^NDJSON$/i, 'application/x-ndjson'],
  [/^JSON/i, 'application/json'],
  [/^CSV/i, 'text/csv'],
  [/^(TSV|TabSeparated)/i, 'text/tab-separated-values'],
  [/^XML$/i, 'application/xml'],
  [/^Markdown$/i, 'text/markdown'],
  [/^(Pretty|Vertical|Values|Template|CustomSeparated|SQLInsert|LineAsString|Hash)/i, 'text/plain'],
];

export function contentTypeOf(format: string): string {
  for (const [form, type] of contentTypes) {
    if (form.test(format)) return `${type}; charset=UTF-8`;
  }
  return 'application/octet-stream';
}

/** Without a header and without a frame around the whole: the joined blocks are the result. */
const streamable = new Set([
  'TabSeparated',
  'TSV',
  'TabSeparatedRaw',
  'TSVRaw',
  'CSV',
  'JSONEachRow',
  'JSONLines',
  'NDJSON',
  'JSONCompactEachRow',
  'JSONStringsEachRow',
  'JSONCompactStringsEachRow',
  'RowBinary',
  'Native',
]);

export function isStreamable(format: string): boolean {
  return streamable.has(format);
}
