import { readFileSync } from 'node:fs';
import { messageOf } from '../core/errors.js';
import { configKeys } from './keys.js';
import type { ConfigReading } from './problem.js';
import { suggest } from './suggest.js';
import { typedValue } from './typed-value.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The only reader of the process's environment. */
export function processEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}

const keysByVariable = new Map(configKeys.map((key) => [key.variable, key]));
const fileVariables = new Map(
  configKeys.filter((key) => key.secret).map((key) => [`${key.variable}_FILE`, key]),
);

export function readEnvironment(environment: Environment): ConfigReading {
  const reading: ConfigReading = { entries: [], problems: [] };
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('SLUICE_') || value === undefined) continue;
    if (isServiceLink(variable, value)) continue;
    const source = `environment ${variable}`;
    const key = keysByVariable.get(variable);
    if (key !== undefined) {
      reading.entries.push({ path: key.path, value: typedValue(key, value), source });
    } else if (fileVariables.has(variable)) {
      readSecret(variable, value, environment, reading);
    } else {
      const near = suggest(variable, [...keysByVariable.keys(), ...fileVariables.keys()]);
      const remedy = near === undefined ? 'See `sluice config print`.' : `Did you mean ${near}?`;
      const message = 'there is no such key';
      reading.problems.push({ source, key: '', value: undefined, message, remedy });
    }
  }
  return reading;
}

/**
 * Kubernetes puts the address of a service called `sluice` into the environment of every pod beside
 * it: SLUICE_SERVICE_HOST, SLUICE_PORT=tcp://…, SLUICE_PORT_1883_TCP_ADDR and so on.
 */
function isServiceLink(variable: string, value: string): boolean {
  if (variable === 'SLUICE_PORT') return /^(tcp|udp|sctp):\/\//.test(value);
  return /^SLUICE_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_\w+)$/.test(variable);
}

/** A variable `…_FILE` names a file; the line break at its end does not belong to the secret. */
function readSecret(
  variable: string,
  file: string,
  environment: Environment,
  reading: ConfigReading,
): void {
  const key = fileVariables.get(variable);
  if (key === undefined) return;
  const source = `environment ${variable}`;
  const problem = { source, key: '', value: undefined };
  if (environment[key.variable] !== undefined) {
    const message = `${key.variable} is set too`;
    reading.problems.push({ ...problem, message, remedy: 'Set one of the two.' });
    return;
  }
  try {
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    reading.entries.push({ path: key.path, value, source });
  } catch (thrown) {
    const remedy = 'Name a file that this user may read.';
    reading.problems.push({ ...problem, message: messageOf(thrown), remedy });
  }
}
