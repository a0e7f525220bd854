/**
 * What the sender is told and what it answers: one JSON document as its only argument, one JSON
 * line on standard output.
 */
interface LoadCommon {
  port: number;
  connections: number;
  /** Devices are numbered; connection i is device `firstDevice + i`. */
  firstDevice: number;
  warmupSeconds: number;
  seconds: number;
  /** Process ids whose processor time is read over exactly the measured seconds, by name. */
  watch: Record<string, number[]>;
  /** Print `{"event":"ready"}` when connected and wait for a line on standard input. */
  hold: boolean;
}

/** QoS 0 as fast as the server reads; a PINGREQ after each chunk bounds what is unconfirmed. */
export interface FloodLoad extends LoadCommon {
  kind: 'flood';
  chunkBytes: number;
}

/** QoS 1 or 2, `window` messages unacknowledged per connection, the next one on each answer. */
export interface WindowLoad extends LoadCommon {
  kind: 'window';
  qos: 1 | 2;
  window: number;
}

/** QoS 1 at a fixed rate spread evenly over the connections, whatever the server does. */
export interface OpenLoad extends LoadCommon {
  kind: 'open';
  perSecond: number;
}

/** QoS 1 messages of ten keys with timestamps of their own; `perSecond` 0 = as fast as it goes. */
export interface SustainedLoad extends LoadCommon {
  kind: 'sustained';
  perSecond: number;
  window: number;
  burst: number;
}

/** Connects, waits for CONNACK, disconnects; `connections` at a time. */
export interface StormLoad extends LoadCommon {
  kind: 'storm';
}

/** Each connection publishes once and then says nothing until the hold ends. */
export interface IdleLoad extends LoadCommon {
  kind: 'idle';
}

/** HTTP POST, one request at a time per keep-alive connection, by this sender. */
export interface HttpLoad extends LoadCommon {
  kind: 'http';
}

/** The same by autocannon. */
export interface CannonLoad extends LoadCommon {
  kind: 'cannon';
}

export type Load =
  | FloodLoad
  | WindowLoad
  | OpenLoad
  | SustainedLoad
  | StormLoad
  | IdleLoad
  | HttpLoad
  | CannonLoad;

export interface Latency {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** Processor time of a group of processes over the measured seconds. */
export interface ProcessShare {
  /** Seconds on a processor. */
  cpuSeconds: number;
  /** Seconds runnable but waiting for a processor, summed over threads. */
  waitSeconds: number;
  residentBytes: number;
}

export interface SenderResult {
  kind: string;
  connections: number;
  /** Length of the measured part. */
  seconds: number;
  /** Messages (or connections, or requests) answered within the measured part, and per second. */
  messages: number;
  perSecond: number;
  /** Milliseconds from sending (or from the intended time) to the answer. */
  latency: Latency | undefined;
  /** Over the whole run, warm-up and drain included. */
  audit: Audit;
  /** The sender's own processor: at 0.9 and above it, and not the server, may be the limit. */
  sender: ProcessShare & { busy: number };
  watched: Record<string, ProcessShare>;
  /** Cores that were busy with anything else: the bench wants a quiet machine. */
  foreignCores: number;
  /** Wall-clock milliseconds when the last message was sent. */
  lastSentAtMs: number;
}

/** Every message sent is acknowledged, or the run is not clean. */
export interface Audit {
  sent: number;
  acked: number;
  /** Connections refused or closed by the server, and answers that say no. */
  refused: number;
  /** Messages whose connection went away before the answer. */
  lost: number;
  /** Messages without an answer when the patience of the sender ended. */
  unanswered: number;
  /** Answers out of order or to nothing. */
  disorder: number;
  clean: boolean;
  /** The first thing that went wrong, for the reader. */
  note: string;
}
