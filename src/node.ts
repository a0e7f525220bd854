import { join } from 'node:path';
import { EmbeddedClickhouse } from './clickhouse/embedded.js';
import type { Config } from './config/schema.js';
import { type Clock, systemClock } from './core/clock.js';
import { Lifetime } from './core/lifetime.js';
import { limits } from './core/limits.js';
import type { Logger } from './core/logger.js';
import { createMetrics, type Metrics } from './core/metrics.js';
import { packageVersion } from './core/package-version.js';
import { MessageRates } from './device/message-rate.js';
import { Sessions } from './device/sessions.js';
import { HttpListener } from './http/listener.js';
import { OpsServer } from './http/ops.js';
import { registryAttributes } from './ingest/attributes-store.js';
import { Batcher } from './ingest/batcher.js';
import { Pipeline } from './ingest/pipeline.js';
import { NormalisePool } from './ingest/pool.js';
import type { AttributesStore } from './ingest/shipper.js';
import { Storage } from './ingest/storage.js';
import { Journal } from './journal/journal.js';
import { journalDefaults } from './journal/options.js';
import { MqttListener } from './mqtt/listener.js';
import * as options from './node/options.js';
import { Readiness } from './node/readiness.js';
import { type Welcome, welcomeScreen } from './node/welcome.js';
import { CredentialCache } from './registry/credential-cache.js';
import { openDataDirectory } from './registry/data-dir.js';
import type { Registry } from './registry/registry.js';
import { openSqliteRegistry } from './registry/sqlite-registry.js';

/** A node that listens. */
export interface RunningNode {
  /** What listens where, and commands to try: one screen. */
  describe(): string;
  /** Resolves with the process's exit code once the node has stopped (SIGTERM, SIGINT). */
  readonly closed: Promise<number>;
}

/** What every part of the node is given. */
interface Context {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly lifetime: Lifetime;
}

/** Part of the drain time that connections get to have their messages settled. */
const connectionsGraceMs = 5_000;

/**
 * Builds the node in the order of dependencies and opens the listeners last, so that whoever can
 * connect can be served. Rejects with a `NodeError` that says what to do; nothing stays open then.
 */
export async function startNode(config: Config, logger: Logger): Promise<RunningNode> {
  const lifetime = new Lifetime(logger);
  const metrics = createMetrics();
  metrics.buildInfo.set({ version: packageVersion() }, 1);
  try {
    return await compose({ clock: systemClock(), logger, metrics, config, lifetime });
  } catch (thrown) {
    await lifetime.close();
    throw thrown;
  }
}

async function compose(context: Context): Promise<RunningNode> {
  const { clock, logger, metrics, config, lifetime } = context;
  const directory = await openDataDirectory(config.dataDir);
  lifetime.add('data directory', () => directory.close());
  const registry = await openSqliteRegistry(clock, logger, directory.path);
  lifetime.add('registry', () => registry.close());
  const credentials = await openCredentials(context, registry);
  const demo = await demoDevice(registry);
  const embedded = await startEmbedded(context, directory.path);
  const journal = await Journal.open(clock, logger, metrics, {
    ...journalDefaults(join(directory.path, 'journal')),
    segmentBytes: config.journal.segmentBytes,
    bytesMax: config.journal.bytesMax,
  });
  lifetime.add('journal', () => journal.close());
  const readiness = new Readiness(clock, journal);
  const ops = new OpsServer(logger, metrics, config.metrics, readiness);
  const metricsPort = (await ops.listen()).port;
  lifetime.add('operations server', () => ops.close());

  const attributes = registryAttributes(logger, registry);
  const storage = await startStorage(context, embedded, journal, registry, attributes);
  readiness.watch(storage);
  const batcher = startIngest(context, journal, attributes);
  const listening = await openListeners(context, batcher, credentials);
  const ports = {
    ...listening,
    metrics: metricsPort,
    ...(embedded === undefined ? {} : { clickhouse: embedded.port }),
  };
  directory.writeNodeFile({
    pid: process.pid,
    version: packageVersion(),
    ports,
    hosts: { mqtt: config.mqtt.host, http: config.http.host, metrics: config.metrics.host },
    startedAt: clock.now(),
  });
  readiness.serving = true;
  logger.info('node_started', { ports });
  return {
    describe: () => welcomeScreen(welcome(config, directory.path, ports, demo)),
    closed: closeOnSignal(lifetime, readiness, logger),
  };
}

async function openCredentials(context: Context, registry: Registry): Promise<CredentialCache> {
  const { clock, logger, metrics, lifetime } = context;
  const bounds = {
    entriesMax: limits.credentialCacheEntriesMax,
    negativeEntriesMax: limits.credentialNegativeEntriesMax,
    negativeMs: limits.credentialNegativeMs,
    tokenBytesMax: limits.tokenBytesMax,
  };
  const credentials = new CredentialCache(clock, logger, metrics, bounds, registry);
  await credentials.start();
  lifetime.add('credentials', () => credentials.close());
  return credentials;
}

/** The first node on a data directory makes a device, so that there is something to try. */
async function demoDevice(registry: Registry): Promise<Welcome['demo']> {
  if ((await registry.countDevices()) > 0) return undefined;
  const { device, token } = await registry.createDevice({ name: 'demo' });
  return { name: device.name, token };
}

async function startEmbedded(
  context: Context,
  dataDir: string,
): Promise<EmbeddedClickhouse | undefined> {
  const { clock, logger, config, lifetime } = context;
  const { url, database, embedded } = config.clickhouse;
  if (url !== undefined) return undefined;
  const clickhouse = await EmbeddedClickhouse.start(clock, logger, {
    directory: join(dataDir, 'clickhouse'),
    passwordFile: join(dataDir, 'clickhouse.password'),
    host: '127.0.0.1',
    port: embedded.port,
    user: 'default',
    database,
    memoryBytesMax: embedded.memoryBytesMax,
  });
  lifetime.add('embedded ClickHouse', () => clickhouse.close());
  return clickhouse;
}

async function startStorage(
  context: Context,
  embedded: EmbeddedClickhouse | undefined,
  journal: Journal,
  registry: Registry,
  attributes: AttributesStore,
): Promise<Storage> {
  const { clock, logger, metrics, config, lifetime } = context;
  const settings = options.storageOptions(config, embedded);
  const storage = new Storage(clock, logger, metrics, settings, journal, registry, attributes);
  let graceMs = 0;
  lifetime.add('storage', () => storage.stop(graceMs));
  await storage.start();
  graceMs = config.drainSeconds * 1000;
  return storage;
}

function startIngest(context: Context, journal: Journal, attributes: AttributesStore): Batcher {
  const { clock, logger, metrics, config, lifetime } = context;
  const threads = options.workerThreads(config);
  const pool = new NormalisePool(threads);
  const pipeline = new Pipeline(clock, logger, metrics, pool, journal);
  const pacing = options.batchPacing(config, threads);
  const batcher = new Batcher(clock, options.arenaBytes(config), pacing, pipeline);
  pipeline.connect(
    (batch) => batcher.recycle(batch),
    (packed) => {
      // A failure loses nothing: the segment is not released before its attributes are applied.
      attributes(packed).catch((thrown: unknown) => {
        logger.limited('attributes_deferred', { error: String(thrown) });
      });
    },
  );
  lifetime.add('ingest', async () => {
    batcher.drain();
    await pipeline.idle();
    await pool.close();
  });
  return batcher;
}

async function openListeners(
  context: Context,
  batcher: Batcher,
  credentials: CredentialCache,
): Promise<{ mqtt: number; http: number }> {
  const { clock, logger, metrics, config, lifetime } = context;
  const sessions = new Sessions(metrics, config.limits.sessionsPerDeviceMax);
  sessions.follow(credentials);
  const settings = options.mqttOptions(config);
  const { deviceMessagesPerSecond, deviceMessagesBurst } = config.limits;
  const rates = new MessageRates(deviceMessagesPerSecond, deviceMessagesBurst);
  const mqtt = new MqttListener(
    clock,
    logger,
    metrics,
    settings,
    batcher,
    credentials,
    sessions,
    rates,
  );
  const forHttp = options.httpOptions(config);
  const http = new HttpListener(clock, logger, metrics, forHttp, batcher, credentials, rates);
  const graceMs = Math.min(connectionsGraceMs, config.drainSeconds * 1000);
  lifetime.add('listeners', async () => {
    await Promise.all([mqtt.stop(graceMs), http.stop(graceMs)]);
  });
  const { port: mqttPort } = await mqtt.listen();
  const { port: httpPort } = await http.listen();
  return { mqtt: mqttPort, http: httpPort };
}

function welcome(
  config: Config,
  dataDir: string,
  ports: { mqtt: number; http: number; metrics: number; clickhouse?: number },
  demo: Welcome['demo'],
): Welcome {
  const { mqtt, http, metrics, clickhouse } = config;
  return {
    version: packageVersion(),
    dataDir,
    mqtt: { host: mqtt.host, port: ports.mqtt },
    http: { host: http.host, port: ports.http },
    metrics: { host: metrics.host, port: ports.metrics },
    clickhouse:
      ports.clickhouse === undefined
        ? { url: clickhouse.url ?? '' }
        : { embeddedPort: ports.clickhouse },
    demo,
  };
}

/** The first signal drains; a second one ends the process: what was acknowledged is durable. */
function closeOnSignal(lifetime: Lifetime, readiness: Readiness, logger: Logger): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: string): void => {
      if (stopping) process.exit(1);
      stopping = true;
      readiness.serving = false;
      logger.info('node_stopping', { signal });
      // `close` never rejects.
      void lifetime.close().then((clean) => {
        logger.info('node_stopped', { clean });
        resolve(clean ? 0 : 1);
      });
    };
    process.on('SIGTERM', () => stop('SIGTERM'));
    process.on('SIGINT', () => stop('SIGINT'));
  });
}
