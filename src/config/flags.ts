import { configKeys } from './keys.js';
import type { ConfigReading } from './problem.js';
import { suggest } from './suggest.js';
import { typedValue } from './typed-value.js';

/** A configuration flag as it was written; `value` is undefined when it was the last argument. */
export interface ConfigFlag {
  readonly name: string;
  readonly value: string | undefined;
}

/** The command line, parted into what configures the node and what the command itself reads. */
export interface CommandLine {
  readonly flags: readonly ConfigFlag[];
  /** The value of `--config`. */
  readonly configFile: string | undefined;
  readonly rest: readonly string[];
}

/** A key without a dot may be written as a key or as a flag: `--dataDir` is `--data-dir`. */
const keysByFlag = new Map(
  configKeys.flatMap((key) => [
    [key.flag, key],
    [`--${key.path}`, key],
  ]),
);
const flagForm = /^(--[A-Za-z][\w.-]*)(?:=(.*))?$/s;

/** Takes `--mqtt.port 1883`, `--mqtt.port=1883`, `--data-dir D`, `--config F` out of `argv`. */
export function partCommandLine(argv: readonly string[]): CommandLine {
  const flags: ConfigFlag[] = [];
  const rest: string[] = [];
  let configFile: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (argument === '--') {
      rest.push(...argv.slice(index));
      break;
    }
    const [, name, attached] = flagForm.exec(argument) ?? [];
    if (name === undefined || !isConfigFlag(name)) {
      rest.push(argument);
      continue;
    }
    let value = attached;
    if (value === undefined && argv[index + 1]?.startsWith('--') === false) {
      index += 1;
      value = argv[index];
    }
    if (name === '--config' && value !== undefined) configFile = value;
    else flags.push({ name, value });
  }
  return { flags, configFile, rest };
}

/** Flags with a dot are ours even when they are misspelt: commands have none of that form. */
function isConfigFlag(name: string): boolean {
  return name === '--config' || name.includes('.') || keysByFlag.has(name);
}

export function readFlags(flags: readonly ConfigFlag[]): ConfigReading {
  const reading: ConfigReading = { entries: [], problems: [] };
  for (const { name, value } of flags) {
    const source = `flag ${name}`;
    const problem = { source, key: '', value: undefined };
    const key = keysByFlag.get(name);
    if (value === undefined) {
      const message = 'the value is missing';
      reading.problems.push({ ...problem, message, remedy: `Write ${name} VALUE.` });
    } else if (key === undefined) {
      const near = suggest(name, keysByFlag.keys());
      const remedy = near === undefined ? 'See `sluice config print`.' : `Did you mean ${near}?`;
      reading.problems.push({ ...problem, message: 'there is no such key', remedy });
    } else {
      reading.entries.push({ path: key.path, value: typedValue(key, value), source });
    }
  }
  return reading;
}
