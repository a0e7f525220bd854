import { setTimeout as sleep } from 'node:timers/promises';
import { judgeFigure, judgeRatio } from './goals.js';
import { runSender } from './measure/run-sender.js';
import { median, spread } from './measure/statistics.js';
import { type Server, senderCore } from './peers/server.js';
import type { Product } from './product.js';
import type { GoalResult, RoundFigures, ScenarioResult, ServerFigures } from './result.js';
import type { Scenario } from './scenario.js';
import type { Load, SenderResult } from './sender/load.js';

export interface RoundOptions {
  rounds: number;
  warmupSeconds: number;
  seconds: number;
  /** Told about each run, for a line of progress. */
  progress: (text: string) => void;
}

/** At this share of its core the sender may be what limits a run… */
const senderBusyMax = 0.9;
/** …unless the server has no time left either. */
const serverBusyMin = 0.9;
/** An open loop that falls behind its rate measures something else. */
const rateShareMin = 0.98;

/**
 * One scenario in interleaved rounds: all servers stay up, each round runs each of them once, in an
 * order that rotates, because the machine changes its speed from minute to minute.
 */
export async function runRounds(
  scenario: Scenario,
  servers: readonly Server[],
  options: RoundOptions,
): Promise<ScenarioResult> {
  const rounds = new Map<string, RoundFigures[]>(servers.map((server) => [server.name, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const server = servers[(round + turn) % servers.length];
      if (server === undefined) continue;
      const figures = await runOnce(scenario, server, options);
      rounds.get(server.name)?.push(figures);
      const flag = figures.clean ? '' : ` NOT CLEAN: ${figures.note}`;
      const bound = figures.senderBound ? ' (sender-bound)' : '';
      options.progress(
        `${scenario.id} round ${round + 1} ${server.name}: ` +
          `${Math.round(figures.perSecond).toLocaleString('en')} ${scenario.unit}/s, ` +
          `${figures.cores.toFixed(2)} cores, sender ${figures.senderBusy.toFixed(2)}, ` +
          `others ${figures.foreignCores.toFixed(2)}` +
          `${bound}${flag}`,
      );
    }
  }
  const figures = servers.map((server) =>
    summarise(scenario, server.name, rounds.get(server.name) ?? []),
  );
  return {
    id: scenario.id,
    title: scenario.title,
    protocol: scenario.protocol,
    unit: scenario.unit,
    servers: figures,
    goals: judge(scenario, figures),
    details: {},
  };
}

async function runOnce(
  scenario: Scenario,
  server: Server,
  options: RoundOptions,
): Promise<RoundFigures> {
  const http = scenario.protocol === 'HTTP';
  const load = {
    ...scenario.load,
    port: http ? server.httpPort : server.mqttPort,
    firstDevice: 0,
    warmupSeconds: options.warmupSeconds,
    seconds: options.seconds,
    watch: server.watch,
    hold: false,
  } as Load;
  const product = asProduct(server);
  await product?.quiet();
  const before = await product?.scrape();
  const result = await runSender(load, senderCore);
  let note = result.audit.clean ? '' : result.audit.note || JSON.stringify(result.audit);
  if (scenario.load.kind === 'open' && result.perSecond < scenario.load.perSecond * rateShareMin) {
    note ||= `only ${Math.round(result.perSecond)} messages/s of the intended rate`;
  }
  if (product !== undefined && before !== undefined) {
    const fault = await product.audit(before, result, scenario.pointsPerUnit);
    note = note === '' ? fault : note;
  } else {
    await sleep(200); // let the sockets go before the next server is measured
  }
  return figuresOf(result, note);
}

function asProduct(server: Server): Product | undefined {
  return server.name === 'sluice' ? (server as Product) : undefined;
}

function figuresOf(result: SenderResult, note: string): RoundFigures {
  const cores = (result.watched['server']?.cpuSeconds ?? 0) / result.seconds;
  const { busy } = result.sender;
  // The open loop paces itself and looks busy whatever happens: it is never the limit of a rate.
  const bound = result.kind !== 'open' && busy >= senderBusyMax && cores < serverBusyMin;
  return {
    perSecond: result.perSecond,
    cores,
    p50Ms: result.latency?.p50,
    p99Ms: result.latency?.p99,
    maxMs: result.latency?.max,
    senderBusy: busy,
    senderBound: bound,
    foreignCores: result.foreignCores,
    clean: note === '',
    note,
  };
}

function summarise(scenario: Scenario, name: string, rounds: RoundFigures[]): ServerFigures {
  const perSecond = median(rounds.map((round) => round.perSecond));
  const acknowledged = scenario.acknowledged;
  return {
    name,
    rounds,
    perSecond,
    spread: spread(rounds.map((round) => round.perSecond)),
    pointsPerSecond: perSecond * scenario.pointsPerUnit,
    cpuMicrosPerUnit: median(rounds.map((round) => (round.cores / round.perSecond) * 1e6)),
    cores: median(rounds.map((round) => round.cores)),
    p50Ms: acknowledged ? median(rounds.map((round) => round.p50Ms ?? Number.NaN)) : undefined,
    p99Ms: acknowledged ? median(rounds.map((round) => round.p99Ms ?? Number.NaN)) : undefined,
    bytesPerConnection: undefined,
    senderBound: rounds.some((round) => round.senderBound),
    clean: rounds.every((round) => round.clean),
  };
}

function judge(scenario: Scenario, figures: readonly ServerFigures[]): GoalResult[] {
  const product = figures.find((server) => server.name === 'sluice');
  const judged: GoalResult[] = [];
  if (product === undefined) return judged;
  for (const goal of scenario.goals) {
    if (goal.kind === 'ratio') {
      const peer = figures.find((server) => server.name === goal.peer);
      if (peer !== undefined) judged.push(judgeRatio(goal, product, peer));
      continue;
    }
    const value = product[goal.measure as 'perSecond' | 'p50Ms' | 'p99Ms' | 'cores'];
    judged.push(judgeFigure(goal, value ?? Number.NaN));
  }
  return judged;
}
