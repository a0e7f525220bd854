import type { Command } from 'commander';
import { createLogger } from '../core/logger.js';
import type { ProgramContext } from './program-context.js';

export function registerStartCommand(program: Command, context: ProgramContext): void {
  program
    .command('start')
    .description('run the node until it is told to stop (SIGTERM, Ctrl-C)')
    .action(async () => {
      const { config } = context.config();
      // Loaded on demand: no other command needs the node's native libraries.
      const { startNode } = await import('../node.js');
      const node = await startNode(config, createLogger(config.log.level, context.clock));
      if (!context.json) context.out.line(node.describe());
      context.exit(await node.closed);
    });
}
