/** One thing that is wrong with the configuration, with its place and its remedy. */
export interface ConfigProblem {
  /** Where: `sluice.yaml:3:9`, `environment SLUICE_MQTT__PORT`, `flag --mqtt.port`. */
  readonly source: string;
  /** The key as that source spells it; empty when the source as a whole is at fault. */
  readonly key: string;
  /** The value as JSON, `***` for a secret; undefined when there is none. */
  readonly value: string | undefined;
  /** What is wrong, without a full stop. */
  readonly message: string;
  /** What to do about it, a whole sentence. */
  readonly remedy: string;
}

/** A value that a source gives to a key. */
export interface ConfigEntry {
  readonly path: string;
  readonly value: unknown;
  readonly source: string;
}

/** What one source says. */
export interface ConfigReading {
  readonly entries: ConfigEntry[];
  readonly problems: ConfigProblem[];
}

/** One line: place, key, value, what is wrong, what to do. */
export function problemLine(problem: ConfigProblem): string {
  const value = problem.value === undefined ? '' : ` is ${problem.value}`;
  const subject = problem.key === '' ? '' : ` ${problem.key}${value}:`;
  return `${problem.source}:${subject} ${problem.message}. ${problem.remedy}`;
}
