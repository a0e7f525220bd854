import type { Measure, ServerName } from './scenario.js';

/** What `results/latest.json` holds; the table and the drawing are made from this alone. */
export interface BenchResult {
  takenAt: string;
  machine: Record<string, string | number>;
  options: Record<string, string | number | boolean>;
  scenarios: ScenarioResult[];
  /** Things the reader must know: a run that was not clean, a sender at its limit. */
  warnings: string[];
}

export interface ScenarioResult {
  id: string;
  title: string;
  protocol: string;
  unit: string;
  servers: ServerFigures[];
  goals: GoalResult[];
  /** Further figures of the product in this scenario, by name. */
  details: Record<string, number | string | boolean>;
}

/** One server in one scenario: every figure is the median of its rounds. */
export interface ServerFigures {
  name: ServerName | string;
  rounds: RoundFigures[];
  perSecond: number;
  spread: number;
  pointsPerSecond: number;
  cpuMicrosPerUnit: number;
  cores: number;
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  bytesPerConnection: number | undefined;
  senderBound: boolean;
  clean: boolean;
}

export interface RoundFigures {
  perSecond: number;
  /** Processor seconds of the server per second. */
  cores: number;
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  maxMs: number | undefined;
  senderBusy: number;
  senderBound: boolean;
  /** Cores busy with anything but server, ClickHouse and sender. */
  foreignCores: number;
  clean: boolean;
  note: string;
}

export interface GoalResult {
  text: string;
  measure: Measure | 'ratio';
  value: number;
  /** Ratios only: smallest and largest of the rounds. */
  low: number | undefined;
  high: number | undefined;
  /**
   * Ratios only: messages per second, or per processor second of the server where the sender, not a
   * server, was the limit.
   */
  basis: 'rate' | 'cpu' | undefined;
  must: number;
  reach: number;
  met: boolean;
  reached: boolean;
}
