import type { Command } from 'commander';
import type { Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';
import { deleteDevices, enableDevices } from './device-change.js';
import { type CreateOptions, createDevice } from './device-create.js';
import { importDevices } from './device-import.js';
import { type ListOptions, listDevices } from './device-list.js';
import { showDevice } from './device-show.js';
import { type RotateOptions, rotateToken, showToken } from './device-token.js';

type Run = (task: (registry: Registry) => Promise<number>) => Promise<void>;

/** `sluice device …`: works on the registry's file, whether or not a node runs. */
export function registerDeviceCommands(program: Command, context: CommandContext): void {
  const run: Run = async (task) => {
    const registry = await context.openRegistry();
    try {
      context.exit(await task(registry));
    } finally {
      await registry.close();
    }
  };
  const device = program.command('device').description('devices of the registry');
  registerReading(device, context, run);
  registerChanging(device, context, run);
  registerTokens(device, context, run);
}

function registerReading(device: Command, context: CommandContext, run: Run): void {
  device
    .command('list')
    .description('list devices in the order of their names')
    .option('--search <text>', 'part of the name or label')
    .option('--profile <name>', 'devices of one profile')
    .option('--after <name>', 'begin after this name')
    .option('--limit <count>', 'at most this many (default: 1000; with --json all)')
    .action((options: ListOptions) => run((registry) => listDevices(registry, context, options)));
  device
    .command('show')
    .description('show one device')
    .argument('<name>', 'name or id')
    .action((name: string) => run((registry) => showDevice(registry, context, name)));
}

function registerChanging(device: Command, context: CommandContext, run: Run): void {
  device
    .command('create')
    .description('create a device and print its access token')
    .argument('<name>')
    .option('--token <token>', 'access token (default: 20 random characters)')
    .option('--profile <name>', 'device profile, created when there is none of this name')
    .option('--label <text>')
    .option('--gateway', 'it speaks for other devices')
    .action((name: string, options: CreateOptions) =>
      run((registry) => createDevice(registry, context, name, options)),
    );
  device
    .command('delete')
    .description('delete devices with their credentials and attributes; telemetry stays')
    .argument('<names...>', 'names or ids')
    .action((names: string[]) => run((registry) => deleteDevices(registry, context, names)));
  device
    .command('enable')
    .description('let devices in again')
    .argument('<names...>', 'names or ids')
    .action((names: string[]) => run((registry) => enableDevices(registry, context, names, true)));
  device
    .command('disable')
    .description('close the sessions of devices and let them in no more')
    .argument('<names...>', 'names or ids')
    .action((names: string[]) => run((registry) => enableDevices(registry, context, names, false)));
  device
    .command('import')
    .description('create devices from a CSV file: name,token,profile,label,gateway')
    .argument('<file>', 'all columns but name are optional, in any order')
    .option('--dry-run', 'check everything and store nothing')
    .action((file: string, options: { dryRun?: boolean }) =>
      run((registry) => importDevices(registry, context, file, options.dryRun === true)),
    );
}

function registerTokens(device: Command, context: CommandContext, run: Run): void {
  const token = device.command('token').description('access tokens');
  token
    .command('show')
    .description('print the access token of a device')
    .argument('<name>', 'name or id')
    .action((name: string) => run((registry) => showToken(registry, context, name)));
  token
    .command('rotate')
    .description('give a device a new access token and print it')
    .argument('<name>', 'name or id')
    .option('--token <token>', 'the new token (default: 20 random characters)')
    .option('--grace <duration>', 'let tokens before it be valid this long, for example 10m')
    .action((name: string, options: RotateOptions) =>
      run((registry) => rotateToken(registry, context, name, options)),
    );
}
