import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/core/package-root.js';

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  /** Ids of scenarios; undefined: all. */
  only: ReadonlySet<string> | undefined;
  quick: boolean;
  rounds: number;
  warmupSeconds: number;
  seconds: number;
  sustainedSeconds: number;
  /** Points per second to try in (g), rising. */
  rates: number[];
  idleConnections: number;
  settleSeconds: number;
  /** Servers to leave out, for a quick look at one. */
  without: ReadonlySet<string>;
  outFolder: string;
}

export const usage = `npm run bench -- [options]
  --only a,b,…       scenarios: a b c qos2 d e f g h i (j belongs to g, e2 to e, f-idle to f)
  --quick            one short round of everything: does it work?
  --rounds N         interleaved rounds (3)
  --seconds N        measured seconds per run (4)
  --warmup N         seconds before them (1.5)
  --sustained N      seconds of (g) (60)
  --rates N,N,…      points per second tried in (g), rising (550000,750000,1000000)
  --idle N           idle connections (10000)
  --without a,b      servers to leave out: sluice mosquitto aedes uws fastify
  --out FOLDER       where latest.json and latest.svg go (bench/results)
`;

export function readOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      warmup: { type: 'string' },
      sustained: { type: 'string' },
      rates: { type: 'string' },
      idle: { type: 'string' },
      without: { type: 'string', default: '' },
      out: { type: 'string', default: join(packageRoot(), 'bench', 'results') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const { quick } = values;
  const number = (text: string | undefined, full: number, small: number): number =>
    text === undefined ? (quick ? small : full) : Number(text);
  const rates = values.rates ?? (quick ? '200000' : '550000,750000,1000000');
  return {
    only: values.only === undefined ? undefined : new Set(values.only.split(',')),
    quick,
    rounds: number(values.rounds, 3, 1),
    warmupSeconds: number(values.warmup, 1.5, 0.7),
    seconds: number(values.seconds, 4, 1.5),
    sustainedSeconds: number(values.sustained, 60, 8),
    rates: rates.split(',').map(Number),
    idleConnections: number(values.idle, 10_000, 2000),
    settleSeconds: quick ? 2 : 12,
    without: new Set(values.without.split(',')),
    outFolder: values.out,
  };
}

/** What else an id of the goal table stands for. */
const families: Readonly<Record<string, string>> = Object.freeze({
  e2: 'e',
  'f-idle': 'f',
  g: 'j',
});

export function wants(options: BenchOptions, id: string): boolean {
  const { only } = options;
  return only === undefined || only.has(id) || only.has(families[id] ?? id);
}
