import type { Registry } from '../registry/registry.js';

/** Where a command writes. Standard output carries the answer, standard error everything else. */
export interface CommandOutput {
  /** One line of text on standard output. */
  line(text: string): void;
  /** One JSON document on one line of standard output. */
  json(value: unknown): void;
  /**
   * A failure on standard error: text with its remedy or, with --json, one object on one line with
   * `code`, `message`, `remedy` and whatever `fields` adds.
   */
  error(error: unknown, fields?: Readonly<Record<string, unknown>>): void;
}

/** What the program gives to every command; read when a command runs, not when it is registered. */
export interface CommandContext {
  dataDir(): string;
  /** Opens the registry in `dataDir`, made when it is not there; the command closes it. */
  openRegistry(): Promise<Registry>;
  readonly out: CommandOutput;
  /** --json was given. */
  readonly json: boolean;
  /**
   * Where a progress bar may be drawn: standard error when it is a terminal and neither --json nor
   * --quiet was given, else undefined.
   */
  readonly progress: NodeJS.WriteStream | undefined;
  /** False with NO_COLOR or when the output is no terminal. */
  readonly colour: boolean;
  /** The exit code of the process once the command has returned. */
  exit(code: number): void;
}
