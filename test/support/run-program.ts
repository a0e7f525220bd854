import { Writable } from 'node:stream';
import { runProgram } from '../../src/cli/program.js';
import type { Environment } from '../../src/config/environment.js';
import { systemClock } from '../../src/core/clock.js';

export interface ProgramRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Capture extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs one command line in this process, in `directory`, and captures what it writes. */
export async function runIn(
  directory: string,
  argv: readonly string[],
  environment: Environment = {},
): Promise<ProgramRun> {
  const stdout = new Capture();
  const stderr = new Capture();
  const clock = systemClock();
  const code = await runProgram(argv, { clock, environment, directory, stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}
