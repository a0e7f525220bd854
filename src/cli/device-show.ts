import type { Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';
import { findDevice } from './device-find.js';
import { deviceJson, timeText } from './device-json.js';

/** `sluice device show NAME`: everything but secrets. */
export async function showDevice(
  registry: Registry,
  io: Pick<CommandContext, 'out' | 'json'>,
  nameOrId: string,
): Promise<number> {
  const device = await findDevice(registry, nameOrId);
  const credentials = (await registry.listCredentials(device.id)).map((credential) => ({
    kind: credential.kind,
    createdAt: timeText(credential.createdAt),
    notAfter: credential.notAfter === undefined ? null : timeText(credential.notAfter),
  }));
  if (io.json) {
    io.out.json({ ...deviceJson(device), credentials });
    return 0;
  }
  io.out.line(`name      ${device.name}`);
  io.out.line(`id        ${device.id}`);
  io.out.line(`profile   ${device.profile}`);
  io.out.line(`label     ${device.label}`.trimEnd());
  io.out.line(`state     ${device.enabled ? 'enabled' : 'disabled'}`);
  io.out.line(`gateway   ${device.gateway ? 'yes' : 'no'}`);
  io.out.line(`created   ${timeText(device.createdAt)}`);
  for (const { kind, createdAt, notAfter } of credentials) {
    const end = notAfter === null ? '' : `, until ${notAfter}`;
    io.out.line(`login     ${kind.replace('_', ' ')}, since ${createdAt}${end}`);
  }
  return 0;
}
