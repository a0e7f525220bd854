import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';

const unusable = /[\p{Cc}\p{Cs}]/u;

/** Names of devices and profiles: trimmed, 1 to 255 characters, no control characters. */
export function parseName(what: 'device' | 'profile', text: string): string {
  const name = text.trim();
  const problem = name === '' ? 'it is empty' : textProblem(name, limits.deviceNameCharactersMax);
  if (problem !== undefined) throw refusal(`the ${what} name`, problem);
  return name;
}

/** Labels: trimmed, at most 255 characters, no control characters; may be empty. */
export function parseLabel(text: string): string {
  const label = text.trim();
  const problem = textProblem(label, limits.deviceLabelCharactersMax);
  if (problem !== undefined) throw refusal('the label', problem);
  return label;
}

function textProblem(text: string, charactersMax: number): string | undefined {
  if (unusable.test(text)) return 'it contains control characters';
  // A character is a code point; only a text this long is worth counting.
  if (text.length <= charactersMax) return undefined;
  const characters = [...text.slice(0, charactersMax * 2 + 2)].length;
  return characters > charactersMax ? `it has more than ${charactersMax} characters` : undefined;
}

function refusal(what: string, problem: string): NodeError {
  return new NodeError(
    'SLUICE_ARGUMENT_INVALID',
    `cannot use ${what}: ${problem}`,
    'Choose another one.',
  );
}
