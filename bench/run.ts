/**
 * `npm run bench [-- --only a,b --rounds 3 --quick …]`: loads the complete node and its peers,
 * prints tables, and writes `bench/results/latest.json` and `latest.svg`. See bench/README.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { stopAllChildren, stopAllChildrenOnSignals } from './measure/child.js';
import { type BenchOptions, readOptions, wants } from './options.js';
import { startMosquitto } from './peers/mosquitto.js';
import { startNodePeer } from './peers/node-peer.js';
import type { Server } from './peers/server.js';
import { Product } from './product.js';
import { renderSvg } from './report/svg.js';
import { renderText } from './report/table.js';
import type { BenchResult, ScenarioResult } from './result.js';
import { runIdle } from './run-idle.js';
import { runJournalMicro, runNormaliseMicro } from './run-micro.js';
import { runRounds } from './run-rounds.js';
import { runSustained } from './run-sustained.js';
import { type Scenario, type ServerName, scenarios } from './scenario.js';

/** Every connection is a device of its own. */
const sustainedConnections = 200;
const roundDevices = 1000;

async function main(): Promise<void> {
  const options = readOptions();
  const startedAt = Date.now();
  const results: ScenarioResult[] = [];
  stopAllChildrenOnSignals();
  try {
    await runLoads(options, results);
    if (wants(options, 'f-idle')) {
      const { idleConnections: connections, settleSeconds } = options;
      results.push(await runIdle(idleServers(options), { connections, settleSeconds, progress }));
    }
    if (wants(options, 'g')) {
      const { rates, sustainedSeconds: seconds } = options;
      const connections = sustainedConnections;
      results.push(await runSustained({ rates, seconds, connections, progress }));
    }
    if (wants(options, 'h')) results.push(await runNormaliseMicro(options.quick, progress));
    if (wants(options, 'i')) results.push(await runJournalMicro(options.quick, progress));
  } finally {
    await stopAllChildren();
  }
  publish(options, results, startedAt);
}

/** The scenarios with peers. One node serves them all; peers live for their scenario. */
async function runLoads(options: BenchOptions, results: ScenarioResult[]): Promise<void> {
  const chosen = scenarios.filter((scenario) => wants(options, scenario.id));
  if (chosen.length === 0) return;
  const own: Server[] = [];
  try {
    if (!options.without.has('sluice')) {
      progress('starting the node');
      own.push(await Product.start({ devices: roundDevices, pinned: true }));
    }
    for (const scenario of chosen) results.push(await runLoad(scenario, own, options));
  } finally {
    for (const product of own) await product.stop();
  }
}

async function runLoad(
  scenario: Scenario,
  own: readonly Server[],
  options: BenchOptions,
): Promise<ScenarioResult> {
  const peers: Server[] = [];
  try {
    for (const name of scenario.servers) {
      if (name !== 'sluice' && !options.without.has(name)) peers.push(await startPeer(name));
    }
    return await runRounds(scenario, [...own, ...peers], { ...options, progress });
  } finally {
    for (const peer of peers) await peer.stop();
  }
}

function startPeer(name: Exclude<ServerName, 'sluice'>): Promise<Server> {
  return name === 'mosquitto' ? startMosquitto() : startNodePeer(name);
}

function idleServers(options: BenchOptions): (() => Promise<Server>)[] {
  const names = (['sluice', 'mosquitto', 'aedes'] as const).filter(
    (name) => !options.without.has(name),
  );
  return names.map((name) => async () => {
    if (name !== 'sluice') return startPeer(name);
    return Product.start({ devices: options.idleConnections, pinned: true });
  });
}

function publish(options: BenchOptions, results: ScenarioResult[], startedAt: number): void {
  const result: BenchResult = {
    takenAt: new Date(startedAt).toISOString(),
    machine: {
      processor: cpus()[0]?.model ?? 'unknown processor',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      node: process.version,
      mosquitto: mosquittoVersion(),
    },
    options: {
      rounds: options.rounds,
      seconds: options.seconds,
      warmupSeconds: options.warmupSeconds,
      quick: options.quick,
      tookSeconds: Math.round((Date.now() - startedAt) / 1000),
    },
    scenarios: results,
    warnings: warningsOf(results),
  };
  mkdirSync(options.outFolder, { recursive: true });
  writeFileSync(
    join(options.outFolder, 'latest.json'),
    `${JSON.stringify(result, undefined, 2)}\n`,
  );
  writeFileSync(join(options.outFolder, 'latest.svg'), renderSvg(result));
  process.stdout.write(`\n${renderText(result)}`);
}

/** Above this, something else had a part in the figures. */
const foreignCoresMax = 0.15;

function warningsOf(results: readonly ScenarioResult[]): string[] {
  return results.flatMap((scenario) =>
    scenario.servers.flatMap((server) => {
      const place = `(${scenario.id}) ${server.name}`;
      const faults = server.rounds.filter((round) => !round.clean);
      const lines = faults.map((round) => `${place}: not clean: ${round.note}`);
      const foreign = Math.max(0, ...server.rounds.map((round) => round.foreignCores));
      if (foreign > foreignCoresMax) {
        lines.push(`${place}: the machine was not quiet: others used ${foreign.toFixed(2)} cores`);
      }
      if (server.senderBound) {
        lines.push(`${place}: the sender was the limit; ratios are per processor second`);
      }
      return lines;
    }),
  );
}

function mosquittoVersion(): string {
  const { stdout } = spawnSync('mosquitto', ['-h'], { encoding: 'utf8' });
  return /version ([\w.]+)/.exec(stdout ?? '')?.[1] ?? 'unknown';
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

await main();
