/**
 * The rules that `test/tidy.test.ts` asserts, as tables. A new folder or library is added here
 * together with its reason to exist.
 */

const protocol = ['core', 'normalise', 'ingest', 'registry', 'device'];
const everything = ['*'];

/** What a folder of `src` may import besides itself. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  block: ['core'],
  normalise: ['core', 'block'],
  journal: ['core'],
  clickhouse: ['core'],
  registry: ['core', 'normalise'],
  ingest: ['core', 'block', 'normalise', 'journal', 'clickhouse', 'registry'],
  device: ['core', 'registry'],
  mqtt: protocol,
  http: protocol,
  cli: everything,
  node: everything,
  'node.ts': everything,
  'main.ts': everything,
  workers: ['core', 'block', 'normalise', 'clickhouse'],
};

/** One door per outside library: the file, or the folder, that may import it. */
export const doors: Readonly<Record<string, string | readonly string[]>> = {
  '@clickhouse/client': 'src/clickhouse/client.ts',
  'better-sqlite3': 'src/registry/sqlite.ts',
  chdb: 'workers/clickhouse.ts',
  'cli-progress': 'src/cli/device-import.ts',
  commander: 'src/cli/',
  'mqtt-packet': 'src/mqtt/decode.ts',
  msgpackr: 'src/normalise/',
  pino: 'src/core/logger.ts',
  piscina: ['src/ingest/pool.ts', 'workers/normalise.ts'], // both ends of one channel
  'prom-client': 'src/core/metrics.ts',
  'uWebSockets.js': 'src/http/server.ts',
  yaml: 'src/config/file.ts',
  zod: 'src/config/',
};

export interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  /** Searched in code or in comments. */
  readonly view: 'code' | 'comments';
  readonly within: RegExp;
  readonly except: RegExp;
  readonly instead: string;
}

const node = /^(?:src|workers)\//;
const anywhere = /^/;
const nowhere = /(?!)/;

export const bans: readonly Ban[] = [
  {
    name: 'console',
    pattern: /\bconsole\./,
    view: 'code',
    within: node,
    except: /^src\/cli\//,
    instead: 'the Logger that the constructor got',
  },
  {
    name: 'process.env',
    pattern: /\bprocess\.env\b/,
    view: 'code',
    within: node,
    except: /^src\/config\/environment\.ts$/,
    instead: 'a key of the configuration',
  },
  {
    name: 'a clock of its own',
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bprocess\.hrtime\b/,
    view: 'code',
    within: node,
    except: /^src\/core\/clock\.ts$/,
    instead: 'the Clock of core/clock.ts',
  },
  {
    name: 'JSON.parse of a payload',
    pattern: /\bJSON\.parse\(/,
    view: 'code',
    within: /^(?:src\/normalise\/|workers\/normalise)/,
    except: nowhere,
    instead: 'the scanner, which keeps 42.0 apart from 42 and every digit of an integer',
  },
  {
    name: 'a bare Error',
    pattern: /\bnew Error\(|\bthrow ['"`]/,
    view: 'code',
    within: node,
    except: nowhere,
    instead: 'a NodeError with a code, or assert',
  },
  {
    name: 'a loose number function',
    pattern: /\bparseFloat\(|(?<!\.)\bparseInt\(|(?<!\.)\bisNaN\(/,
    view: 'code',
    within: anywhere,
    except: nowhere,
    instead: 'Number(…), Number.parseInt(…, radix), Number.isNaN(…)',
  },
  {
    name: 'the type any',
    pattern: /(?:[:<|&,]|\bas)\s*any\b/,
    view: 'code',
    within: anywhere,
    except: nowhere,
    instead: 'unknown, narrowed once',
  },
  {
    name: 'a silenced type error',
    pattern: /@ts-(?:ignore|nocheck|expect-error)/,
    view: 'comments',
    within: anywhere,
    except: nowhere,
    instead: 'types that are right',
  },
  {
    name: 'work left over',
    pattern: /\b(?:TODO|FIXME|XXX)\b/,
    view: 'comments',
    within: anywhere,
    except: nowhere,
    instead: 'the work itself, or an issue',
  },
  {
    name: 'a default export',
    pattern: /\bexport default\b/,
    view: 'code',
    within: anywhere,
    except: /^workers\/normalise\.ts$/, // what Piscina calls
    instead: 'a named export',
  },
  {
    name: 'a re-export',
    pattern: /\bexport (?:type )?(?:\*|\{[^}]*\} from)/,
    view: 'code',
    within: anywhere,
    except: nowhere,
    instead: 'an import of the file that has it',
  },
  {
    name: 'a test that does not run',
    pattern: /\b(?:test|it|describe|suite|t)\.(?:only|skip|todo)\b|\{\s*(?:only|skip|todo):/,
    view: 'code',
    within: /^test\//,
    except: nowhere,
    instead: 'a test that runs',
  },
];
