import { type Environment, readEnvironment } from './environment.js';
import { readConfigFile } from './file.js';
import { type CommandLine, readFlags } from './flags.js';
import { type ConfigKey, configKeys } from './keys.js';
import type { ConfigEntry, ConfigProblem } from './problem.js';
import { brokenRelations } from './relations.js';
import type { Config } from './schema.js';

/** Where a configuration comes from. */
export interface ConfigSources {
  readonly commandLine: Pick<CommandLine, 'flags' | 'configFile'>;
  readonly environment: Environment;
  /** The working directory. */
  readonly directory: string;
}

/** A valid configuration and, per key, the place its value comes from (`default` if nobody's). */
export interface LoadedConfig {
  readonly kind: 'valid';
  readonly config: Config;
  readonly provenance: ReadonlyMap<string, string>;
}

export interface InvalidConfig {
  readonly kind: 'invalid';
  /** At least one. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads flags over environment over file over defaults. Every value is checked, also one that
 * another source overrides, and all problems are reported together; the result is frozen.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig | InvalidConfig {
  const readings = [
    readConfigFile(sources.commandLine.configFile, sources.directory),
    readEnvironment(sources.environment),
    readFlags(sources.commandLine.flags),
  ];
  const problems = readings.flatMap((reading) => reading.problems);
  const given = new Map<string, ConfigEntry>();
  for (const entry of readings.flatMap((reading) => reading.entries)) given.set(entry.path, entry);
  const keys = new Map(configKeys.map((key) => [key.path, key]));
  for (const entry of readings.flatMap((reading) => reading.entries)) {
    const key = keys.get(entry.path);
    const message = key?.objection(entry.value);
    if (key === undefined || message === undefined) continue;
    problems.push({ ...describe(key, entry), message, remedy: remedyOf(key) });
    if (given.get(entry.path) === entry) given.delete(entry.path);
  }

  // A rejected value counts as its default here, so that the relations of the rest are told too.
  const config = build(given);
  problems.push(...brokenRelations(config, given));
  if (problems.length > 0) return Object.freeze({ kind: 'invalid', problems });
  const provenance = new Map(
    configKeys.map(({ path }) => [path, given.get(path)?.source ?? 'default']),
  );
  return Object.freeze({ kind: 'valid', config, provenance });
}

/** The value as an operator may see it: `***` for a secret. */
export function maskedValue(key: ConfigKey, value: unknown): unknown {
  if (key.secret && value !== undefined) return '***';
  // What looks like a password inside an address is not shown either.
  return typeof value === 'string' ? value.replace(/\/\/[^/]*@/, '//***@') : value;
}

function shown(key: ConfigKey, value: unknown): string {
  const masked = maskedValue(key, value);
  return typeof masked === 'string' ? JSON.stringify(masked) : String(masked);
}

function describe(key: ConfigKey, entry: ConfigEntry) {
  return { source: entry.source, key: key.path, value: shown(key, entry.value) };
}

function remedyOf(key: ConfigKey): string {
  if (key.byDefault === undefined) return 'Change it or remove it.';
  return `Change it, or remove it for the default ${shown(key, key.byDefault)}.`;
}

function build(given: ReadonlyMap<string, ConfigEntry>): Config {
  const root: Record<string, unknown> = {};
  for (const { path, byDefault } of configKeys) {
    const names = path.split('.');
    const leaf = names.pop() ?? '';
    let section = root;
    for (const name of names) {
      section[name] ??= {};
      section = section[name] as Record<string, unknown>;
    }
    const entry = given.get(path);
    section[leaf] = entry === undefined ? byDefault : entry.value;
  }
  return freezeDeep(root) as unknown as Config;
}

function freezeDeep(section: Record<string, unknown>): Record<string, unknown> {
  for (const value of Object.values(section)) {
    if (typeof value === 'object' && value !== null) freezeDeep(value as Record<string, unknown>);
  }
  return Object.freeze(section);
}
