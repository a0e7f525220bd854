import { z } from 'zod';
import { configSchema } from './schema.js';

/** The text of `schema/config.schema.json`: what editors check a `sluice.yaml` with. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input' });
  return `${JSON.stringify({ title: 'Configuration of Sluice', ...schema }, undefined, 2)}\n`;
}
