import { setTimeout as sleep } from 'node:timers/promises';
import { judgeFigure } from './goals.js';
import { readMeter } from './measure/process-meter.js';
import { runSender } from './measure/run-sender.js';
import { type Server, senderCore } from './peers/server.js';
import type { ScenarioResult, ServerFigures } from './result.js';

export interface IdleOptions {
  connections: number;
  /** How long memory is watched; the smallest value counts, because collectors work late. */
  settleSeconds: number;
  progress: (text: string) => void;
}

/** Connections that come and go before the first reading: start-up costs are not counted. */
const warmConnections = 500;

/**
 * Memory of an idle connection: resident bytes of the server process with and without many
 * connections of which each has published once. Each server is fresh. The kernel's buffers are not
 * in it.
 */
export async function runIdle(
  startServers: readonly (() => Promise<Server>)[],
  options: IdleOptions,
): Promise<ScenarioResult> {
  const servers: ServerFigures[] = [];
  for (const start of startServers) {
    const server = await start();
    try {
      const figures = await measure(server, options);
      servers.push(figures);
      options.progress(`idle ${server.name}: ${Math.round(figures.bytesPerConnection ?? 0)} bytes`);
    } finally {
      await server.stop();
    }
  }
  const product = servers.find((server) => server.name === 'sluice');
  const goal = { kind: 'atMost', measure: 'bytesPerConnection', must: 8192, reach: 5120 } as const;
  return {
    id: 'f-idle',
    title: `MQTT, ${options.connections.toLocaleString('en')} idle connections that published once`,
    protocol: 'MQTT idle',
    unit: 'connections',
    servers,
    goals: product === undefined ? [] : [judgeFigure(goal, product.bytesPerConnection ?? 0)],
    details: {},
  };
}

async function measure(server: Server, options: IdleOptions): Promise<ServerFigures> {
  await hold(server, warmConnections, async () => {});
  const before = await settledBytes(server, options.settleSeconds);
  let after = 0;
  const clean = await hold(server, options.connections, async () => {
    after = await settledBytes(server, options.settleSeconds);
  });
  return {
    name: server.name,
    rounds: [],
    perSecond: Number.NaN,
    spread: Number.NaN,
    pointsPerSecond: Number.NaN,
    cpuMicrosPerUnit: Number.NaN,
    cores: Number.NaN,
    p50Ms: undefined,
    p99Ms: undefined,
    bytesPerConnection: (after - before) / options.connections,
    senderBound: false,
    clean,
  };
}

async function hold(
  server: Server,
  connections: number,
  whileConnected: () => Promise<void>,
): Promise<boolean> {
  const load = {
    kind: 'idle',
    connections,
    port: server.mqttPort,
    firstDevice: 0,
    warmupSeconds: 0,
    seconds: 0,
    watch: {},
    hold: true,
  } as const;
  const result = await runSender(load, senderCore, whileConnected);
  return result.audit.clean;
}

async function settledBytes(server: Server, seconds: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    await sleep(250);
    least = Math.min(least, readMeter(server.watch['server'] ?? []).residentBytes);
  }
  return least;
}
