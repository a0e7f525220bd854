#!/usr/bin/env node
import { runProgram } from './cli/program.js';
import { processEnvironment } from './config/environment.js';
import { systemClock } from './core/clock.js';

// A reader that has enough, as in `sluice sql … | head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runProgram(process.argv.slice(2), {
  clock: systemClock(),
  environment: processEnvironment(),
  directory: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
});
