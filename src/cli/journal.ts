import { join } from 'node:path';
import type { Command } from 'commander';
import {
  inspectJournal,
  type JournalReport,
  type SegmentReport,
  verifyJournal,
} from '../journal/inspect.js';
import type { ProgramContext } from './program-context.js';
import { textTable } from './text-table.js';

/** Both read only, and may run beside the node. */
export function registerJournalCommands(program: Command, context: ProgramContext): void {
  const journal = program.command('journal').description('look into the journal');
  const directory = (): string => join(context.dataDir(), 'journal');
  journal
    .command('inspect')
    .description('list the segments and what waits in them for ClickHouse')
    .action(async () => printReport(context, await inspectJournal(directory())));
  journal
    .command('verify')
    .description('check every byte of every record; exit code 1 when something is damaged')
    .action(async () => {
      const report = await verifyJournal(directory());
      printReport(context, report);
      if (!report.sound) context.exit(1);
    });
}

function printReport({ json, out }: ProgramContext, report: JournalReport): void {
  if (json) {
    out.json(report);
    return;
  }
  if (report.segments.length > 0) {
    out.line(textTable(['segment', 'state', 'rows', 'bytes', 'condition'], segmentRows(report)));
    out.line('');
  }
  out.line(`${report.unshippedRows} rows in ${report.unshippedBytes} bytes wait for ClickHouse`);
  for (const { file, bytes } of report.quarantine)
    out.line(`quarantined: ${file} (${bytes} bytes)`);
  for (const file of report.unknownFiles) out.line(`not the journal’s: ${file}`);
  out.line(report.sound ? 'No damage found.' : 'There is damage.');
}

function segmentRows({ segments }: JournalReport): string[][] {
  return segments.map((segment) => {
    const rows = segment.kinds.reduce((sum, kind) => sum + kind.rows, 0);
    const { segment: name, state, bytes } = segment;
    return [name, state, String(rows), String(bytes), conditionOf(segment)];
  });
}

function conditionOf({ problem, damages }: SegmentReport): string {
  if (problem !== undefined) return problem;
  return damages.map(({ from, to }) => `damaged: bytes ${from} to ${to}`).join(', ') || 'sound';
}
