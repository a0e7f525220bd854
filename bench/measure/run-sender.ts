import { fileURLToPath } from 'node:url';
import type { Load, SenderResult } from '../sender/load.js';
import { Child } from './child.js';

const program = fileURLToPath(new URL('../sender/main.js', import.meta.url));
/** Connecting and draining on top of the load's own seconds. */
const overheadMs = 90_000;

/**
 * Runs the sender in its own process, on `core` or free. A held load calls `onReady` when it is
 * connected; sending begins when that has resolved.
 */
export async function runSender(
  load: Load,
  core: number | undefined,
  onReady: () => Promise<void> = async () => {},
): Promise<SenderResult> {
  const args = ['--max-old-space-size=2048', program, JSON.stringify(load)];
  const child = new Child(process.execPath, args, { core });
  let result: SenderResult | undefined;
  let failure: unknown;
  child.onLine((line) => {
    const message = JSON.parse(line) as SenderResult | { event: string };
    if (!('event' in message)) {
      result = message;
      return;
    }
    onReady().then(
      () => child.write('go\n'),
      (error: unknown) => {
        failure = error;
        child.process.kill();
      },
    );
  });
  await child.finished((load.warmupSeconds + load.seconds) * 1000 + overheadMs);
  if (failure !== undefined) throw failure;
  if (result === undefined) throw new Error(`the sender said nothing\n${child.output}`);
  return result;
}
