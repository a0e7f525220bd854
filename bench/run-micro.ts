import { fileURLToPath } from 'node:url';
import { judgeFigure } from './goals.js';
import { Child } from './measure/child.js';
import type { GoalResult, ScenarioResult } from './result.js';

/** The part of `micro/journal.js --json` that the goals need. */
interface JournalFigures {
  groups: { groupBytes: number; ratio: [median: number, low: number, high: number] }[];
  bytesPerBlockByte: number;
}

/** The part of `micro/normalise.js --json` that the goals need. */
interface NormaliseFigures {
  families: {
    name: string;
    /** Millions of messages a second. */
    normalise: number;
    ratio: [median: number, low: number, high: number];
  }[];
}

const timeoutMs = 300_000;

/** The families of payloads that goal h speaks of; the others are printed and judge nothing. */
const judgedFamilies: readonly string[] = ['flat, 3 keys', 'wide, 20 keys'];

/** Goal h: the normaliser beside JSON.parse, in one thread. */
export async function runNormaliseMicro(
  quick: boolean,
  progress: (text: string) => void,
): Promise<ScenarioResult> {
  const figures = (await runMicro('micro/normalise.js', quick, progress)) as NormaliseFigures;
  const goals: GoalResult[] = [];
  const details: ScenarioResult['details'] = {};
  for (const { name, normalise, ratio } of figures.families) {
    const [value, low, high] = ratio;
    details[`${name}, messages/s`] = normalise * 1e6;
    if (!judgedFamilies.includes(name)) continue;
    const goal = { kind: 'atLeast', measure: 'timesJsonParse', must: 2.5, reach: 3.5 } as const;
    goals.push({ ...judgeFigure(goal, value, `${name}: `), low, high });
  }
  if (goals.length !== judgedFamilies.length) throw new Error('a family of goal h is missing');
  return { ...result('h', 'Normaliser beside JSON.parse, one thread', goals), details };
}

/** Goal i: the journal beside the bare file system. */
export async function runJournalMicro(
  quick: boolean,
  progress: (text: string) => void,
): Promise<ScenarioResult> {
  const figures = (await runMicro('micro/journal.js', quick, progress)) as JournalFigures;
  const goals: GoalResult[] = figures.groups.map(({ groupBytes, ratio }) => {
    const [value, low, high] = ratio;
    const goal = { kind: 'atLeast', measure: 'shareOfRaw', must: 0.8, reach: 1 } as const;
    return { ...judgeFigure(goal, value, `groups of ${groupBytes / 1024} KiB: `), low, high };
  });
  goals.push(
    judgeFigure(
      { kind: 'atMost', measure: 'bytesWrittenPerByte', must: 1.15, reach: 1.05 },
      figures.bytesPerBlockByte,
    ),
  );
  return result('i', 'Journal beside raw preallocated fdatasync', goals);
}

function result(id: string, title: string, goals: GoalResult[]): ScenarioResult {
  return { id, title, protocol: 'micro', unit: '', servers: [], goals, details: {} };
}

/** Runs a program of `micro/` by itself; its last line of output is JSON. */
async function runMicro(
  file: string,
  quick: boolean,
  progress: (text: string) => void,
): Promise<unknown> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const child = new Child(process.execPath, [program, '--json', ...(quick ? ['--quick'] : [])]);
  let last = '';
  child.onLine((line) => {
    if (last !== '') progress(last);
    last = line;
  });
  await child.finished(timeoutMs);
  if (child.process.exitCode !== 0) throw new Error(`${file} failed\n${child.output}`);
  return JSON.parse(last) as unknown;
}
