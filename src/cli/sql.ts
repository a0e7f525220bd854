import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { messageOf, NodeError } from '../core/errors.js';
import type { ProgramContext } from './program-context.js';
import { findSqlTarget, type SqlTarget } from './sql-target.js';
import { textTable } from './text-table.js';

const tableFormat = 'JSONCompactStringsEachRowWithNames';
/** A table is as wide as its widest cell, so it is held in memory; --json has no such limit. */
const tableRowsMax = 1000;
const errorTextBytesMax = 64 * 1024;

export function registerSqlCommand(program: Command, context: ProgramContext): void {
  program
    .command('sql')
    .description('ask ClickHouse, the embedded or the configured one')
    .argument('<statement>', 'for example "SELECT * FROM points ORDER BY ts DESC LIMIT 5"')
    .action((statement: string) => runStatement(context, statement));
}

/** Rows as a table; with --json one object per row, every digit as ClickHouse wrote it. */
async function runStatement(context: ProgramContext, statement: string): Promise<void> {
  const target = await findSqlTarget(context.config().config, context.dataDir());
  const format = context.json ? 'JSONEachRow' : tableFormat;
  const response = await send(target, statement, format);
  if (response.statusCode !== 200) {
    const text = (await readStart(response)).trim();
    throw new NodeError('SLUICE_CLICKHOUSE_REFUSED', `cannot run the statement: ${text}`);
  }
  // A statement may name a format of its own: then its text is the answer.
  const answered = response.headers['x-clickhouse-format'] ?? format;
  if (answered === tableFormat) await printTable(context, response);
  else await pipeline(response, context.stdout, { end: false });
}

async function send(
  target: SqlTarget,
  statement: string,
  format: string,
): Promise<IncomingMessage> {
  const url = new URL(target.url);
  const parameters = {
    database: target.database,
    default_format: format,
    // An error halfway then changes the status instead of ending a good answer with its text.
    wait_end_of_query: '1',
    output_format_json_quote_64bit_integers: '0',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const start = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = start(url, {
    method: 'POST',
    auth: `${target.user}:${target.password}`,
    ...(target.ca === undefined ? {} : { ca: target.ca }),
  });
  request.end(statement);
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  } catch (thrown) {
    throw new NodeError(
      'SLUICE_CLICKHOUSE_UNREACHABLE',
      `cannot reach ClickHouse at ${target.url}: ${messageOf(thrown)}`,
      'Check that it runs and that the address is right.',
      thrown,
    );
  }
}

async function readStart(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    if (text.length >= errorTextBytesMax) break;
  }
  return text;
}

async function printTable(context: ProgramContext, response: IncomingMessage): Promise<void> {
  const rows: string[][] = [];
  let more = false;
  for await (const line of createInterface({ input: response })) {
    if (line === '') continue;
    more = rows.length > tableRowsMax;
    if (more) break;
    rows.push((JSON.parse(line) as string[]).map(oneLine));
  }
  response.destroy();
  const [header, ...body] = rows;
  if (header !== undefined) context.out.line(textTable(header, body));
  if (more) context.out.line(`… and more than ${tableRowsMax} rows: add a LIMIT, or use --json`);
}

/** Line breaks and other control characters as JSON writes them, so that a row stays a line. */
function oneLine(cell: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  return cell.replace(/[\u0000-\u001f\u007f]/g, (character) =>
    JSON.stringify(character).slice(1, -1),
  );
}
