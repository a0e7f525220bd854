import { messageOf, NodeError } from '../core/errors.js';
import type { CommandOutput } from './context.js';

/** A stream as far as commands write to it. */
export interface TextSink {
  write(text: string): unknown;
}

/** Answers on `stdout`; failures on `stderr`, as one line of text or, with `json`, one object. */
export function createOutput(
  stdout: TextSink,
  stderr: TextSink,
  json: boolean,
  colour: boolean,
): CommandOutput {
  return {
    line(text): void {
      stdout.write(`${text}\n`);
    },
    json(value): void {
      stdout.write(`${JSON.stringify(value)}\n`);
    },
    error(error, fields = {}): void {
      const { code, message, remedy } = failure(error);
      if (json) {
        stderr.write(`${JSON.stringify({ code, message, remedy, ...fields })}\n`);
        return;
      }
      const shownCode = colour ? `\x1b[31m${code}\x1b[39m` : code;
      const separator = message.includes('\n') ? '\n' : '. ';
      stderr.write(`${shownCode}: ${message}${remedy === '' ? '' : `${separator}${remedy}`}\n`);
    },
  };
}

function failure(error: unknown): { code: string; message: string; remedy: string } {
  if (error instanceof NodeError) return error;
  return { code: 'SLUICE_FAILED', message: messageOf(error), remedy: '' };
}
