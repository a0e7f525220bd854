import { limits } from '../core/limits.js';

/** What the HTTP listener is told; `node.ts` maps the configuration to it. */
export interface HttpOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** The largest body, as received and expanded; a batch's arena must hold it and its path. */
  readonly bodyBytesMax: number;
  /** All bodies that are not in a batch yet. */
  readonly bodiesOpenBytesMax: number;
  readonly connectionsMax: number;
}

export const httpDefaults: HttpOptions = Object.freeze({
  host: '0.0.0.0',
  port: 8080,
  bodyBytesMax: limits.payloadBytesMax,
  bodiesOpenBytesMax: limits.httpBodiesOpenBytesMax,
  connectionsMax: limits.connectionsMax,
});
