/**
 * The process that journal-kill.test.ts kills: appends numbered records, several at a time, and
 * ships some. Standard output is its ledger: `a NUMBER` after an acknowledgement, `s SEGMENT
 * NUMBERS` when a segment was stored and before it is released.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { Journal } from '../../src/journal/journal.js';
import { journalDefaults } from '../../src/journal/options.js';
import { RecordKind } from '../../src/journal/record.js';
import { textsOf } from '../unit/journal/world.js';

const [directory = '', firstText = '0'] = process.argv.slice(2);
const inFlight = 6;
const shipAfterMs = 40;

const options = {
  ...journalDefaults(directory),
  segmentBytes: 512 * 1024,
  quietMs: 10,
  busyMs: 30,
};
const journal = await Journal.open(systemClock(), silentLogger, createMetrics(), options);
let next = Number(firstText);
for (let started = 0; started < inFlight; started += 1) append();
setTimeout(ship, shipAfterMs);
writeSync(1, 'r\n');

function append(): void {
  const number = next;
  next += 1;
  const bytes = Buffer.from(`${number} `.padEnd(100 + ((number * 7919) % 20_000), '.'));
  const kind = RecordKind.telemetry;
  journal.append([{ kind, rows: 1, bytes, segmentNameAt: 20 }], (error) => {
    if (error === undefined) writeSync(1, `a ${number}\n`);
    append();
  });
}

function ship(): void {
  // Ends with the process; a rejection ends it at once and the test sees that.
  void shipOne().then(() => setTimeout(ship, shipAfterMs));
}

async function shipOne(): Promise<void> {
  const segment = await journal.nextClosed();
  if (segment === undefined) return;
  const numbers = (await textsOf(segment)).map((text) => Number.parseInt(text, 10));
  writeSync(1, `s ${segment.name} ${numbers.join(',')}\n`);
  await journal.release(segment);
}
