import type { Registry } from '../registry/registry.js';
import type { CommandContext } from './context.js';

export interface CreateOptions {
  readonly token?: string;
  readonly profile?: string;
  readonly label?: string;
  readonly gateway?: boolean;
}

/** `sluice device create NAME`: exit code 0; rejects when the name or the token is taken. */
export async function createDevice(
  registry: Registry,
  io: Pick<CommandContext, 'out' | 'json'>,
  name: string,
  options: CreateOptions,
): Promise<number> {
  const profile = options.profile?.trim();
  if (profile !== undefined && (await registry.findProfileByName(profile)) === undefined) {
    // As an import does: there is no other way to make one on the command line.
    await registry.createProfile({ name: profile });
    if (!io.json) io.out.line(`Created profile ${profile}.`);
  }
  const { device, token } = await registry.createDevice({
    name,
    token: options.token,
    profile,
    label: options.label,
    gateway: options.gateway,
  });
  if (io.json) {
    io.out.json({ id: device.id, name: device.name, token });
  } else {
    io.out.line(`Created device ${device.name}.`);
    io.out.line(`  id     ${device.id}`);
    io.out.line(`  token  ${token}`);
  }
  return 0;
}
