import type { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.js';
import { problemLine } from '../config/problem.js';
import { printConfig } from './config-print.js';
import type { ProgramContext } from './program-context.js';

export function registerConfigCommands(program: Command, context: ProgramContext): void {
  const config = program.command('config').description('check and show the configuration');
  config
    .command('check')
    .description('tell every problem of the configuration (exit code 78) or that there is none')
    .action(() => checkConfig(context));
  config
    .command('print')
    .description('show every key with its value and where the value comes from')
    .option('--effective', 'show every key (the default)')
    .option('--changed', 'show only what differs from the defaults')
    .action(({ changed }) => printConfig(context, changed === true));
  config
    .command('schema')
    .description('write the JSON Schema of the configuration file, for editors')
    .action(() => {
      context.stdout.write(configJsonSchema());
    });
}

function checkConfig(context: ProgramContext): void {
  const loaded = context.configOrProblems();
  const problems = loaded.kind === 'valid' ? [] : loaded.problems;
  if (context.json) context.out.json({ valid: problems.length === 0, problems });
  else if (problems.length === 0) context.out.line('The configuration is valid.');
  else for (const problem of problems) context.out.line(problemLine(problem));
  context.exit(problems.length === 0 ? 0 : 78);
}
