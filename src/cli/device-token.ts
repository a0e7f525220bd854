import { NodeError } from '../core/errors.js';
import type { Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';
import { findDevice } from './device-find.js';
import { timeText } from './device-json.js';

type Io = Pick<CommandContext, 'out' | 'json'>;

export interface RotateOptions {
  readonly token?: string;
  readonly grace?: string;
}

/** `sluice device token show NAME`: the newest token alone on its line. */
export async function showToken(registry: Registry, io: Io, nameOrId: string): Promise<number> {
  const device = await findDevice(registry, nameOrId);
  const access = await registry.readToken(device.id);
  if (access === undefined) {
    throw new NodeError(
      'SLUICE_ARGUMENT_INVALID',
      `cannot show a token of device "${device.name}": it has none`,
      'Make one with `sluice device token rotate`.',
    );
  }
  const { token, notAfter } = access;
  if (io.json) {
    const until = notAfter === undefined ? null : timeText(notAfter);
    io.out.json({ id: device.id, name: device.name, token, notAfter: until });
  } else {
    io.out.line(token);
  }
  return 0;
}

/** `sluice device token rotate NAME`: prints the new token. */
export async function rotateToken(
  registry: Registry,
  io: Io,
  nameOrId: string,
  options: RotateOptions,
): Promise<number> {
  const graceMs = options.grace === undefined ? 0 : parseDuration(options.grace);
  const device = await findDevice(registry, nameOrId);
  const { token, previousUntil } = await registry.rotateToken(device.id, options.token, graceMs);
  const until = graceMs === 0 ? null : timeText(previousUntil);
  if (io.json) {
    io.out.json({ id: device.id, name: device.name, token, previousUntil: until });
  } else {
    io.out.line(token);
    if (until !== null) io.out.line(`Tokens before it are valid until ${until}.`);
  }
  return 0;
}

const unitMs: Readonly<Record<string, number>> = Object.freeze({
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
});
const graceMsMax = 365 * 86_400_000;

/** `10m` and the like, in milliseconds; at most a year. */
function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const duration = Number(match?.[1]) * (unitMs[match?.[2] ?? ''] ?? Number.NaN);
  if (duration <= graceMsMax) return duration;
  throw new NodeError(
    'SLUICE_ARGUMENT_INVALID',
    `cannot use the duration "${text}"`,
    'Give a number and a unit, for example 30s, 10m, 12h or 7d; at most 365d.',
  );
}
