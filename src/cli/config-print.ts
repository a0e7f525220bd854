import { configKeys } from '../config/keys.js';
import { maskedValue } from '../config/load.js';
import type { ProgramContext } from './program-context.js';
import { textTable } from './text-table.js';

/** Every key with its value, secrets masked, and the flag, variable or line that sets it. */
export function printConfig(context: ProgramContext, changedOnly: boolean): void {
  const { config, provenance } = context.config();
  const entries = configKeys
    .map((key) => {
      const value = maskedValue(key, valueAt(config, key.path));
      return { key: key.path, value, source: provenance.get(key.path) ?? 'default' };
    })
    .filter(({ source }) => !changedOnly || source !== 'default');
  if (context.json) {
    context.out.json(Object.fromEntries(entries.map(({ key, ...rest }) => [key, rest])));
    return;
  }
  const rows = entries.map(({ key, value, source }) => [key, String(value ?? ''), source]);
  context.out.line(textTable(['key', 'value', 'source'], rows));
}

function valueAt(config: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((section, name) => (section as Record<string, unknown>)[name], config);
}
