import { NodeError } from '../core/errors.js';
import type { DeviceRecord, Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';
import { deviceJson } from './device-json.js';
import { textTable } from './text-table.js';

export interface ListOptions {
  readonly search?: string;
  readonly profile?: string;
  readonly after?: string;
  readonly limit?: string;
}

const pageRows = 1000;
/** A table is as wide as its widest cell, so it is held in memory; --json has no such limit. */
const tableRows = 1000;

/** `sluice device list`: a table, with --json one object a line; in the order of names. */
export async function listDevices(
  registry: Registry,
  io: Pick<CommandContext, 'out' | 'json'>,
  options: ListOptions,
): Promise<number> {
  const { search, profile } = options;
  const limit = parseLimit(options.limit) ?? (io.json ? Number.POSITIVE_INFINITY : tableRows);
  const rows: DeviceRecord[] = [];
  let after = options.after;
  for (let listed = 0; listed < limit; ) {
    const page = await registry.listDevices({
      search,
      profile,
      after,
      limit: Math.min(pageRows, limit - listed),
    });
    if (io.json) for (const device of page) io.out.json(deviceJson(device));
    else rows.push(...page);
    listed += page.length;
    after = page.at(-1)?.name;
    if (after === undefined) break;
  }
  if (!io.json) printTable(io, rows, await registry.countDevices({ search, profile }));
  return 0;
}

function printTable(
  io: Pick<CommandContext, 'out'>,
  rows: readonly DeviceRecord[],
  total: number,
): void {
  const cells = rows.map((device) => [
    device.name,
    device.profile,
    device.label,
    device.enabled ? 'enabled' : 'disabled',
    device.gateway ? 'gateway' : '',
    device.id,
  ]);
  if (rows.length > 0) {
    io.out.line(textTable(['name', 'profile', 'label', 'state', 'kind', 'id'], cells));
  }
  const last = rows.at(-1);
  io.out.line(`${rows.length} of ${total} devices`);
  if (last !== undefined && rows.length < total) {
    io.out.line(`The next page: --after ${JSON.stringify(last.name)}`);
  }
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new NodeError(
    'SLUICE_ARGUMENT_INVALID',
    `cannot use the limit "${text}"`,
    'Give a whole number, at least 1.',
  );
}
