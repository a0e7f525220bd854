import { Command, CommanderError } from 'commander';
import { partCommandLine } from '../config/flags.js';
import { type ErrorCode, NodeError } from '../core/errors.js';
import { packageVersion } from '../core/package-version.js';
import { registerConfigCommands } from './config-commands.js';
import { registerDeviceCommands } from './device-commands.js';
import { registerJournalCommands } from './journal.js';
import { createContext, type ProgramContext, type ProgramHost } from './program-context.js';
import { registerPublishCommand } from './publish.js';
import { registerSqlCommand } from './sql.js';
import { registerStartCommand } from './start.js';

/** Every other failure exits with 1. */
const exitCodes: Partial<Record<ErrorCode, number>> = {
  SLUICE_ARGUMENT_INVALID: 2,
  SLUICE_CONFIG_INVALID: 78, // EX_CONFIG of sysexits.h
};

const configurationHelp = `
Configuration:
  --data-dir DIR      directory of the journal, the registry and the embedded ClickHouse
  --config FILE       configuration file (default: sluice.yaml, if there is one)
  --mqtt.port 1883    any key of \`sluice config print\` is a flag`;

/**
 * Runs one command line and resolves with its exit code: 0 done, 1 failed, 2 wrong usage or done in
 * part, 78 invalid configuration. Failures are told on standard error; only bugs reject.
 */
export async function runProgram(argv: readonly string[], host: ProgramHost): Promise<number> {
  const commandLine = partCommandLine(argv);
  const program = new Command('sluice');
  const context = createContext(host, commandLine, () => program.opts());
  describeProgram(program, host);
  registerCommands(program, context);
  for (const command of [program, ...descendants(program)]) {
    command.exitOverride().configureHelp({ showGlobalOptions: true });
  }
  try {
    await program.parseAsync(commandLine.rest, { from: 'user' });
    return context.exitCode;
  } catch (thrown) {
    return exitCodeOf(thrown, context);
  }
}

function describeProgram(program: Command, host: ProgramHost): void {
  program
    .description('IoT ingest node: MQTT and HTTP in, typed columns into ClickHouse exactly once')
    .version(packageVersion(), '-V, --version')
    .option('--json', 'answer in JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('afterAll', configurationHelp)
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      // What was wrong is told once, by us, with the code and in the form of every other failure.
      outputError: () => {},
    });
}

function registerCommands(program: Command, context: ProgramContext): void {
  registerStartCommand(program, context);
  registerDeviceCommands(program, context);
  registerPublishCommand(program, context);
  registerSqlCommand(program, context);
  registerConfigCommands(program, context);
  registerJournalCommands(program, context);
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}

function exitCodeOf(thrown: unknown, context: ProgramContext): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return 0;
    // `sluice` and `sluice device` alone: commander has shown the help.
    if (thrown.code === 'commander.help') return 2;
    const message = thrown.message.replace(/^error: |\.$/g, '').replace(/\s*\n\s*/g, ' ');
    const remedy = 'See --help of the command.';
    return exitCodeOf(new NodeError('SLUICE_ARGUMENT_INVALID', message, remedy), context);
  }
  if (!(thrown instanceof NodeError)) throw thrown;
  context.out.error(thrown);
  return exitCodes[thrown.code] ?? 1;
}
