import type {
  CannonLoad,
  FloodLoad,
  HttpLoad,
  OpenLoad,
  StormLoad,
  WindowLoad,
} from './sender/load.js';

/** The servers that can be loaded. */
export type ServerName = 'sluice' | 'mosquitto' | 'aedes' | 'fastify' | 'uws';

type LoadShape<L> = Omit<
  L,
  'port' | 'firstDevice' | 'warmupSeconds' | 'seconds' | 'watch' | 'hold'
>;

/** What the sender shall do, without port and times. */
export type ScenarioLoad =
  | LoadShape<FloodLoad>
  | LoadShape<WindowLoad>
  | LoadShape<OpenLoad>
  | LoadShape<StormLoad>
  | LoadShape<HttpLoad>
  | LoadShape<CannonLoad>;

/** `must` is the goal, `reach` what we would like. */
export type Goal =
  | { kind: 'ratio'; peer: ServerName; must: number; reach: number }
  | { kind: 'atMost'; measure: Measure; must: number; reach: number }
  | { kind: 'atLeast'; measure: Measure; must: number; reach: number };

export type Measure =
  | 'perSecond'
  | 'p50Ms'
  | 'p99Ms'
  | 'cores'
  | 'bytesPerConnection'
  | 'bytesPerPoint'
  | 'pointsPerSecond'
  | 'secondsUntilStored'
  | 'journalGrowthMiB'
  | 'memoryGrowthPercent'
  | 'timesJsonParse'
  | 'shareOfRaw'
  | 'bytesWrittenPerByte';

export interface Scenario {
  /** The letter of the goal table in the README, or a name where there is no goal. */
  id: string;
  title: string;
  protocol: string;
  unit: 'messages' | 'requests' | 'connections';
  /** 0 where a unit carries no points. */
  pointsPerUnit: number;
  /** Set where the server answers each unit when it is durable: the column "ack" of the table. */
  acknowledged: boolean;
  servers: ServerName[];
  load: ScenarioLoad;
  goals: Goal[];
}

/** The loads that run against the product and its peers in interleaved rounds. */
export const scenarios: readonly Scenario[] = Object.freeze([
  {
    id: 'a',
    title: 'MQTT QoS 1, 50 connections × 64 in flight',
    protocol: 'MQTT QoS 1',
    unit: 'messages',
    pointsPerUnit: 3,
    acknowledged: true,
    servers: ['sluice', 'mosquitto', 'aedes'],
    load: { kind: 'window', qos: 1, connections: 50, window: 64 },
    goals: [
      { kind: 'ratio', peer: 'mosquitto', must: 3, reach: 5 },
      { kind: 'ratio', peer: 'aedes', must: 5, reach: 8 },
    ],
  },
  {
    id: 'b',
    title: 'MQTT QoS 0, 50 connections',
    protocol: 'MQTT QoS 0',
    unit: 'messages',
    pointsPerUnit: 3,
    acknowledged: false,
    servers: ['sluice', 'mosquitto', 'aedes'],
    load: { kind: 'flood', connections: 50, chunkBytes: 32 * 1024 },
    goals: [
      { kind: 'ratio', peer: 'mosquitto', must: 2, reach: 3.5 },
      { kind: 'ratio', peer: 'aedes', must: 4, reach: 8 },
    ],
  },
  {
    id: 'c',
    title: 'MQTT QoS 1, 1,000 connections × 1 in flight',
    protocol: 'MQTT QoS 1',
    unit: 'messages',
    pointsPerUnit: 3,
    acknowledged: true,
    servers: ['sluice', 'mosquitto', 'aedes'],
    load: { kind: 'window', qos: 1, connections: 1000, window: 1 },
    goals: [
      { kind: 'ratio', peer: 'mosquitto', must: 0.75, reach: 1 },
      { kind: 'ratio', peer: 'aedes', must: 2, reach: 2.5 },
    ],
  },
  {
    id: 'qos2',
    title: 'MQTT QoS 2, 50 connections × 32 in flight',
    protocol: 'MQTT QoS 2',
    unit: 'messages',
    pointsPerUnit: 3,
    acknowledged: true,
    servers: ['sluice', 'mosquitto', 'aedes'],
    load: { kind: 'window', qos: 2, connections: 50, window: 32 },
    goals: [],
  },
  {
    id: 'd',
    title: 'MQTT QoS 1, 10,000 messages/s over 1,000 connections, open loop',
    protocol: 'MQTT QoS 1',
    unit: 'messages',
    pointsPerUnit: 3,
    acknowledged: true,
    servers: ['sluice', 'mosquitto'],
    load: { kind: 'open', connections: 1000, perSecond: 10_000 },
    goals: [
      { kind: 'atMost', measure: 'p50Ms', must: 1.5, reach: 1.5 },
      { kind: 'atMost', measure: 'p99Ms', must: 8, reach: 5 },
      { kind: 'atMost', measure: 'cores', must: 0.6, reach: 0.45 },
    ],
  },
  {
    id: 'e',
    title: 'HTTP keep-alive, 1,000 connections, by autocannon',
    protocol: 'HTTP',
    unit: 'requests',
    pointsPerUnit: 3,
    acknowledged: true,
    servers: ['sluice', 'uws', 'fastify'],
    load: { kind: 'cannon', connections: 1000 },
    goals: [
      { kind: 'ratio', peer: 'uws', must: 0.6, reach: 0.75 },
      { kind: 'ratio', peer: 'fastify', must: 2, reach: 2 },
    ],
  },
  {
    id: 'e2',
    title: 'HTTP keep-alive, 1,000 connections, by the bench’s own sender',
    protocol: 'HTTP',
    unit: 'requests',
    pointsPerUnit: 3,
    acknowledged: true,
    servers: ['sluice', 'uws', 'fastify'],
    load: { kind: 'http', connections: 1000 },
    goals: [
      { kind: 'ratio', peer: 'uws', must: 0.6, reach: 0.75 },
      { kind: 'ratio', peer: 'fastify', must: 2, reach: 2 },
    ],
  },
  {
    id: 'f',
    title: 'MQTT connect storm, 64 at a time',
    protocol: 'MQTT connect',
    unit: 'connections',
    pointsPerUnit: 0,
    acknowledged: true,
    servers: ['sluice', 'mosquitto', 'aedes'],
    load: { kind: 'storm', connections: 64 },
    goals: [
      { kind: 'ratio', peer: 'aedes', must: 2, reach: 4 },
      { kind: 'atLeast', measure: 'perSecond', must: 8000, reach: 12_000 },
    ],
  },
] satisfies Scenario[]);
