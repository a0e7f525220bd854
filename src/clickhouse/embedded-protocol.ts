/**
 * What the node and its ClickHouse process say to each other over the IPC channel of
 * `child_process.fork`. The password travels here and never on a command line or in the
 * environment.
 */
export interface EmbeddedStart {
  readonly kind: 'start';
  /** Folder of the engine's data; created when it is missing. */
  readonly directory: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Database of a request that names none; created when it is missing. */
  readonly database: string;
  readonly memoryBytesMax: number;
}

/** Stop taking requests, end those that run, close the engine, exit 0. */
export interface EmbeddedStop {
  readonly kind: 'stop';
}

export type EmbeddedReply =
  | {
      readonly kind: 'ready';
      readonly port: number;
      readonly version: string;
      /** The process that used the folder before did not close it. */
      readonly uncleanStop: boolean;
    }
  | {
      readonly kind: 'failed';
      readonly reason: 'binary' | 'engine' | 'port';
      readonly message: string;
    };
