import type { ConfigKey } from './keys.js';

const numberForm = /^-?\d+(\.\d+)?$/;

/** Flags and variables are text: a number is made of it where the key does not accept text. */
export function typedValue(key: ConfigKey, text: string): unknown {
  return numberForm.test(text) && key.objection(text) !== undefined ? Number(text) : text;
}
