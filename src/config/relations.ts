import type { ConfigEntry, ConfigProblem } from './problem.js';
import type { Config } from './schema.js';

/** What must hold between keys, on a configuration whose keys are each valid. */
export function brokenRelations(
  config: Config,
  given: ReadonlyMap<string, ConfigEntry>,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const report = (paths: string[], value: unknown, message: string, remedy: string): void => {
    // The place to change is the one that somebody wrote.
    const entry = paths.map((path) => given.get(path)).find((found) => found !== undefined);
    const key = entry?.path ?? paths[0] ?? '';
    const source = entry?.source ?? 'default';
    const shown = value === undefined ? undefined : String(value);
    problems.push({ source, key, value: shown, message, remedy });
  };

  const { journal } = config;
  for (const [path, bytes] of [
    ['mqtt.packetBytesMax', config.mqtt.packetBytesMax],
    ['http.bodyBytesMax', config.http.bodyBytesMax],
  ] as const) {
    // A message of many short points takes about ten times its bytes in the journal.
    if (bytes * 16 <= journal.bytesMax) continue;
    const message = `the journal of ${journal.bytesMax} bytes has no room for sixteen of these`;
    report([path], bytes, message, `Lower ${path} or raise journal.bytesMax.`);
  }
  if (journal.bytesMax < journal.segmentBytes * 4) {
    const message = `the journal needs room for four files of ${journal.segmentBytes} bytes`;
    const remedy = 'Raise journal.bytesMax or lower journal.segmentBytes.';
    report(['journal.bytesMax', 'journal.segmentBytes'], journal.bytesMax, message, remedy);
  }
  for (const [path, other, port] of sharedPorts(config)) {
    const remedy = 'Give each a port of its own; 0 takes a free one.';
    report([path, other], port, `${other} has the same port as ${path}`, remedy);
  }
  if (config.clickhouse.url === undefined) {
    for (const name of ['user', 'password', 'cluster', 'caFile']) {
      const path = `clickhouse.${name}`;
      if (!given.has(path)) continue;
      const message = 'the embedded ClickHouse does not use it';
      report([path], undefined, message, `Set clickhouse.url or remove ${path}.`);
    }
  }
  return problems;
}

/** Pairs of listeners that cannot both be had. */
function sharedPorts(config: Config): [string, string, number][] {
  const { mqtt, http, metrics, clickhouse } = config;
  const listeners: [string, string, number][] = [
    ['mqtt.port', mqtt.host, mqtt.port],
    ['http.port', http.host, http.port],
    ['metrics.port', metrics.host, metrics.port],
  ];
  if (clickhouse.url === undefined) {
    listeners.push(['clickhouse.embedded.port', '127.0.0.1', clickhouse.embedded.port]);
  }
  return listeners.flatMap(([path, host, port], index) =>
    listeners
      .slice(index + 1)
      .filter((other) => port !== 0 && other[2] === port && overlap(host, other[1]))
      .map((other): [string, string, number] => [path, other[0], port]),
  );
}

function overlap(host: string, other: string): boolean {
  const all = ['0.0.0.0', '::'];
  return host === other || all.includes(host) || all.includes(other);
}
