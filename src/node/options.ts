import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { EmbeddedClickhouse } from '../clickhouse/embedded.js';
import type { Config } from '../config/schema.js';
import { messageOf, NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';
import { type HttpOptions, httpDefaults } from '../http/options.js';
import type { BatchPacing } from '../ingest/batcher.js';
import type { StorageOptions } from '../ingest/storage.js';
import { type MqttOptions, mqttDefaults } from '../mqtt/options.js';

/** How the configuration is read by each part. */

/** Beside the payload, an arena holds the rest of its packet or the path of its request. */
const arenaMargin = 2 * 1024;

export function mqttOptions(config: Config): MqttOptions {
  const { mqtt } = config;
  return {
    ...mqttDefaults,
    host: mqtt.host,
    port: mqtt.port,
    packetBytesMax: mqtt.packetBytesMax,
    badPayload: mqtt.badPayload,
    keepAliveSecondsMax: mqtt.keepAliveMaxSeconds,
    receiveMaximum: mqtt.receiveMaximum,
    connectionsMax: config.limits.connectionsMax,
  };
}

export function httpOptions(config: Config): HttpOptions {
  const { http } = config;
  return {
    ...httpDefaults,
    host: http.host,
    port: http.port,
    bodyBytesMax: http.bodyBytesMax,
    connectionsMax: config.limits.connectionsMax,
  };
}

/** The configured server, else the embedded one. */
export function storageOptions(
  config: Config,
  embedded: EmbeddedClickhouse | undefined,
): StorageOptions {
  const { url, user, password = '', database, cluster, caFile } = config.clickhouse;
  const { ttlDays, insertsInFlight } = config.clickhouse;
  const common = { database, cluster, ttlDays, insertsInFlight };
  if (embedded !== undefined) {
    const { url: own, user: itsUser, password: itsPassword } = embedded;
    return { ...common, urls: [own], user: itsUser, password: itsPassword, ca: undefined };
  }
  const ca = caFile === undefined ? undefined : readCertificate(caFile);
  return { ...common, urls: [url ?? ''], user, password, ca };
}

/** Threads that normalise: all processors but the one of the sockets, at least one. */
export function workerThreads(config: Config): number {
  const configured = config.normalise.threads;
  return configured > 0 ? configured : Math.max(1, availableParallelism() - 1);
}

export function arenaBytes(config: Config): number {
  const largest = Math.max(config.mqtt.packetBytesMax, config.http.bodyBytesMax) + arenaMargin;
  return Math.max(limits.batchArenaBytes, largest);
}

export function batchPacing(config: Config, threads: number): BatchPacing {
  return {
    groupDelayMs: config.journal.groupDelayMs,
    eagerBytes: limits.batchEagerBytes,
    inFlightMax: threads + 1,
  };
}

function readCertificate(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw new NodeError(
      'SLUICE_CONFIG_INVALID',
      `cannot read clickhouse.caFile ${path}: ${messageOf(thrown)}`,
      'Name a PEM file that this user may read.',
      thrown,
    );
  }
}
