import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Presets, SingleBar } from 'cli-progress';
import { messageOf, NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import type { DeviceImport, ImportRow } from '../registry/device-import.js';
import type { Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';
import { type CsvRecord, readCsv } from './csv.js';
import { type ImportColumns, importColumns, importRow } from './device-csv.js';

type Io = Pick<CommandContext, 'out' | 'json' | 'progress'>;

/** A transaction of this many takes about 0.15 s, in which a node's own changes wait. */
const rowsPerTransaction = 5_000;

/**
 * `sluice device import FILE.csv`: exit code 0, or 2 when lines were refused; those are told on
 * standard error, each with its number. The others are stored; running it again goes on from there.
 */
export async function importDevices(
  registry: Registry,
  io: Io,
  file: string,
  dryRun: boolean,
): Promise<number> {
  const bar = await openBar(io, file);
  const imported = registry.importDevices({ dryRun });
  const run = new ImportRun(io, imported, bar);
  try {
    for await (const records of readCsv(readFile(file, bar), limits.csvRecordBytesMax)) {
      await run.add(records);
    }
    await run.flush();
    run.requireHeader(file);
  } finally {
    bar?.stop();
    await imported.finish();
  }
  run.report(dryRun);
  return run.refused === 0 ? 0 : 2;
}

/**
 * One import: rows waiting for their transaction (≤ rowsPerTransaction), and what became of them.
 */
class ImportRun {
  readonly #io: Io;
  readonly #imported: DeviceImport;
  readonly #bar: SingleBar | undefined;
  #columns: ImportColumns | undefined;
  #rows: ImportRow[];
  #lines: number[];
  created: number;
  unchanged: number;
  refused: number;

  constructor(io: Io, imported: DeviceImport, bar: SingleBar | undefined) {
    this.#io = io;
    this.#imported = imported;
    this.#bar = bar;
    this.#columns = undefined;
    this.#rows = [];
    this.#lines = [];
    this.created = 0;
    this.unchanged = 0;
    this.refused = 0;
  }

  async add(records: readonly CsvRecord[]): Promise<void> {
    for (const record of records) {
      if (this.#columns === undefined) {
        this.#columns = importColumns(record);
        continue;
      }
      const row = importRow(this.#columns, record);
      if (row instanceof NodeError) {
        this.#refuse(record.line, row);
        continue;
      }
      this.#rows.push(row);
      this.#lines.push(record.line);
      if (this.#rows.length >= rowsPerTransaction) await this.flush();
    }
  }

  async flush(): Promise<void> {
    const rows = this.#rows;
    const lines = this.#lines;
    this.#rows = [];
    this.#lines = [];
    if (rows.length === 0) return;
    const outcomes = await this.#imported.add(rows);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === 'created') this.created += 1;
      else if (outcome.kind === 'unchanged') this.unchanged += 1;
      else this.#refuse(lines[index] ?? 0, outcome.error);
    }
    this.#bar?.update({ created: this.created, refused: this.refused });
  }

  requireHeader(file: string): void {
    if (this.#columns === undefined) {
      throw new NodeError(
        'SLUICE_ARGUMENT_INVALID',
        `cannot import ${file}: it is empty`,
        'The first line names the columns: name,token,profile,label,gateway',
      );
    }
  }

  report(dryRun: boolean): void {
    const { created, unchanged, refused } = this;
    const profiles = this.#imported.profilesCreated();
    if (this.#io.json) {
      this.#io.out.json({ created, unchanged, refused, profilesCreated: profiles, dryRun });
      return;
    }
    const verb = dryRun ? 'would be created' : 'created';
    const counts = `${created} ${verb}, ${unchanged} unchanged, ${refused} refused`;
    this.#io.out.line(dryRun ? `${counts} (dry run: nothing was stored)` : counts);
    if (profiles.length > 0) this.#io.out.line(`profiles ${verb}: ${profiles.join(', ')}`);
  }

  #refuse(line: number, error: NodeError): void {
    this.refused += 1;
    // The bar is drawn again below, with its next update.
    if (this.#bar !== undefined) this.#io.progress?.write('\r\x1b[K');
    const told = new NodeError(error.code, `line ${line}: ${error.message}`, error.remedy);
    this.#io.out.error(told, { line });
  }
}

async function* readFile(file: string, bar: SingleBar | undefined): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      bar?.update(bytes);
      yield chunk;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A bar over the bytes of the file, where one may be drawn. */
async function openBar(io: Io, file: string): Promise<SingleBar | undefined> {
  const bytes = await stat(file).then(
    ({ size }) => size,
    (error: unknown) => {
      throw unreadable(file, error);
    },
  );
  if (io.progress === undefined) return undefined;
  const format = '{bar} {percentage}%  {created} created, {refused} refused  {eta_formatted} left';
  const bar = new SingleBar({ format, stream: io.progress, forceRedraw: true }, Presets.rect);
  bar.start(bytes, 0, { created: 0, refused: 0 });
  return bar;
}

function unreadable(file: string, cause: unknown): NodeError {
  return new NodeError(
    'SLUICE_ARGUMENT_INVALID',
    `cannot read ${file}: ${messageOf(cause)}`,
    'Check the name and the rights of the file.',
    cause,
  );
}
