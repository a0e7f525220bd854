import { z } from 'zod';
import { configSchema } from './schema.js';

/** One leaf of the configuration tree and how each source spells it. */
export interface ConfigKey {
  /** `clickhouse.embedded.port` */
  readonly path: string;
  /** `--clickhouse.embedded.port`; a key without a dot is spelt `--data-dir`. */
  readonly flag: string;
  /** `SLUICE_CLICKHOUSE__EMBEDDED__PORT` */
  readonly variable: string;
  readonly description: string;
  readonly secret: boolean;
  /** What holds when nobody sets it; undefined when the key is optional. */
  readonly byDefault: unknown;
  /** The sentence against `value`, or undefined when the key accepts it. */
  readonly objection: (value: unknown) => string | undefined;
}

/** Every key in the order of the schema. */
export const configKeys: readonly ConfigKey[] = Object.freeze(leaves(configSchema, ''));

function leaves(object: z.ZodObject, prefix: string): ConfigKey[] {
  return Object.entries(object.shape).flatMap(([name, schema]) => {
    const path = prefix + name;
    if (schema instanceof z.ZodPrefault) return leaves(schema.unwrap() as z.ZodObject, `${path}.`);
    return [createKey(path, schema as z.ZodType)];
  });
}

function createKey(path: string, schema: z.ZodType): ConfigKey {
  const meta = schema.meta();
  return Object.freeze({
    path,
    flag: `--${path.includes('.') ? path : kebab(path)}`,
    variable: `SLUICE_${path.split('.').map(upperSnake).join('__')}`,
    description: meta?.description ?? '',
    secret: meta?.['writeOnly'] === true,
    byDefault: schema.parse(undefined),
    objection: (value: unknown) => schema.safeParse(value).error?.issues[0]?.message,
  });
}

function kebab(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function upperSnake(camel: string): string {
  return kebab(camel).replaceAll('-', '_').toUpperCase();
}
