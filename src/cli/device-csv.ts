import { NodeError } from '../core/errors.js';
import type { ImportRow } from '../registry/device-import.js';
import type { CsvRecord } from './csv.js';

const columnNames = ['name', 'token', 'profile', 'label', 'gateway'] as const;
type ColumnName = (typeof columnNames)[number];

/** Where each column stands in a record; -1 when the file does not have it. */
export interface ImportColumns {
  readonly at: Readonly<Record<ColumnName, number>>;
  readonly count: number;
}

const remedy = `The first line names the columns, in any order: ${columnNames.join(',')}`;

/** Reads the header; rejects one without `name`, with unknown or with repeated columns. */
export function importColumns(header: CsvRecord): ImportColumns {
  if (header.problem !== undefined) throw unusable(`the header: ${header.problem}`);
  const at = { name: -1, token: -1, profile: -1, label: -1, gateway: -1 };
  for (const [index, field] of header.fields.entries()) {
    const name = field.trim().toLowerCase();
    const column = columnNames.find((known) => known === name);
    if (column === undefined)
      throw unusable(`the header names an unknown column ${JSON.stringify(field)}`);
    if (at[column] >= 0) throw unusable(`the header names the column "${column}" twice`);
    at[column] = index;
  }
  if (at.name < 0) throw unusable('the header does not name the column "name"');
  return { at, count: header.fields.length };
}

/**
 * One device, or why its line cannot be used. Empty fields, and those left out at the end, state
 * nothing.
 */
export function importRow(columns: ImportColumns, record: CsvRecord): ImportRow | NodeError {
  const { at, count } = columns;
  const { fields } = record;
  if (record.problem !== undefined) return refusal(record.problem, 'Correct the line.');
  if (fields.length > count) {
    const problem = `it has ${fields.length} fields, the header has ${count}`;
    return refusal(problem, 'Put fields that contain a comma into quotes.');
  }
  const field = (column: ColumnName): string | undefined => {
    const text = fields[at[column]];
    return text === undefined || text === '' ? undefined : text;
  };
  const gateway = parseFlag(field('gateway'));
  if (gateway === 'invalid') {
    return refusal(
      `gateway is ${JSON.stringify(field('gateway'))}`,
      'Write true or false, or leave it empty.',
    );
  }
  return {
    name: field('name') ?? '',
    token: field('token'),
    profile: field('profile')?.trim(),
    label: field('label')?.trim(),
    gateway,
  };
}

function parseFlag(text: string | undefined): boolean | undefined | 'invalid' {
  switch (text?.trim().toLowerCase()) {
    case undefined:
    case '':
      return undefined;
    case 'true':
    case 'yes':
    case '1':
      return true;
    case 'false':
    case 'no':
    case '0':
      return false;
    default:
      return 'invalid';
  }
}

function unusable(problem: string): NodeError {
  return new NodeError('SLUICE_ARGUMENT_INVALID', `cannot import the file: ${problem}`, remedy);
}

function refusal(problem: string, hint: string): NodeError {
  return new NodeError('SLUICE_ARGUMENT_INVALID', `cannot import the device: ${problem}`, hint);
}
