import type { Ledger } from './ledger.js';

/** One kind of load. `main.ts` drives it: connect, start, stop, then wait until it is settled. */
export interface Workload {
  readonly ledger: Ledger;
  /** Resolves when every connection is ready to send. */
  connect(): Promise<void>;
  start(): void;
  /** No new message is begun after this; answers still count. */
  stop(): void;
  /** True when every message was answered or lost. */
  settled(): boolean;
  close(): void;
}
