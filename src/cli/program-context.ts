import { resolve } from 'node:path';
import type { Environment } from '../config/environment.js';
import type { CommandLine } from '../config/flags.js';
import { type InvalidConfig, type LoadedConfig, loadConfig } from '../config/load.js';
import { problemLine } from '../config/problem.js';
import type { Clock } from '../core/clock.js';
import { NodeError } from '../core/errors.js';
import { silentLogger } from '../core/logger.js';
import type { CommandContext } from './context.js';
import { createOutput } from './output.js';

/** What the process gives to the program; tests give their own. */
export interface ProgramHost {
  readonly clock: Clock;
  readonly environment: Environment;
  /** The working directory. */
  readonly directory: string;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** What commands of the program itself have besides what every command has. */
export interface ProgramContext extends CommandContext {
  readonly clock: Clock;
  readonly stdout: NodeJS.WritableStream;
  /** Rejects an invalid configuration with SLUICE_CONFIG_INVALID and every problem. */
  config(): LoadedConfig;
  configOrProblems(): LoadedConfig | InvalidConfig;
  readonly exitCode: number;
}

/** `options` are the global ones; they are known when a command runs. */
export function createContext(
  host: ProgramHost,
  commandLine: CommandLine,
  options: () => { json?: boolean; quiet?: boolean },
): ProgramContext {
  let loaded: LoadedConfig | InvalidConfig | undefined;
  let exitCode = 0;
  const noColour = (host.environment['NO_COLOR'] ?? '') !== '';
  const context: ProgramContext = {
    clock: host.clock,
    stdout: host.stdout,
    configOrProblems() {
      const { environment, directory } = host;
      loaded ??= loadConfig({ commandLine, environment, directory });
      return loaded;
    },
    config() {
      const result = context.configOrProblems();
      if (result.kind === 'valid') return result;
      const lines = result.problems.map((problem) => `  ${problemLine(problem)}`);
      const message = `the configuration has problems\n${lines.join('\n')}`;
      throw new NodeError('SLUICE_CONFIG_INVALID', message);
    },
    dataDir: () => resolve(host.directory, context.config().config.dataDir),
    async openRegistry() {
      // Loaded on demand: most commands do not need the native library.
      const { openSqliteRegistry } = await import('../registry/sqlite-registry.js');
      return openSqliteRegistry(host.clock, silentLogger, context.dataDir());
    },
    get out() {
      return createOutput(host.stdout, host.stderr, context.json, context.colour);
    },
    get json() {
      return options().json === true;
    },
    get progress() {
      const quiet = options().quiet === true || context.json || host.stderr.isTTY !== true;
      return quiet ? undefined : (host.stderr as NodeJS.WriteStream);
    },
    get colour() {
      return !noColour && host.stderr.isTTY === true;
    },
    exit(code) {
      exitCode = code;
    },
    get exitCode() {
      return exitCode;
    },
  };
  return context;
}
