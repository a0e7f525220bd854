import { mkdir, open, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { EmbeddedReply, EmbeddedStart } from '../src/clickhouse/embedded-protocol.js';
import { messageOf } from '../src/core/errors.js';
import { Spool } from './clickhouse/body.js';
import { Engine } from './clickhouse/engine.js';
import { baseSettings, engineConfig, usersConfig } from './clickhouse/engine-config.js';
import { createClickhouseServer } from './clickhouse/server.js';
import {
  type EngineResult,
  type EngineSession,
  quoteName,
  SessionPool,
} from './clickhouse/session-pool.js';

/**
 * The process that holds the embedded ClickHouse (chDB) and serves ClickHouse's HTTP interface for
 * it on loopback. `src/clickhouse/embedded.ts` starts it and tells it over IPC what to do. It ends
 * when it is told, on SIGTERM, and when the node is gone; a crash in here takes no socket of a
 * device with it.
 */
const stopWithinMs = 10_000;
const answersWithinMs = 1_000;
const runningMark = 'running';

let server: Server | undefined;
let engine: Engine | undefined;
let root: EngineSession | undefined;
let directory = '';
let stopping = false;

process.on('message', (message) => {
  const { kind } = message as { kind: string };
  if (kind === 'start') void start(message as EmbeddedStart);
  if (kind === 'stop') void stop();
});
process.on('disconnect', () => void stop());
process.on('SIGTERM', () => void stop());
// Ctrl-C reaches the whole foreground group; the node decides when its store stops.
process.on('SIGINT', () => {});

async function start(options: EmbeddedStart): Promise<void> {
  let reason: 'binary' | 'engine' | 'port' = 'binary';
  try {
    const { Session } = await import('chdb');
    reason = 'engine';
    directory = options.directory;
    const dataFolder = join(directory, 'engine');
    const spoolFolder = join(directory, 'bodies');
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await mkdir(spoolFolder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(spoolFolder)) await rm(join(spoolFolder, name));
    // INSERT … FROM INFILE expands wildcards, so it is given names without a folder in front.
    process.chdir(spoolFolder);
    const memoryBytesMax = Math.min(options.memoryBytesMax, memoryBytesHere());
    const base = baseSettings(memoryBytesMax);
    const configFile = await writeConfig(base, memoryBytesMax);
    root = new Session(dataFolder, { connectionArgs: [`--config-file=${configFile}`] });
    const uncleanStop = await markRunning();
    const version = await prepare(root, options.database);
    const sessions = new SessionPool(() => new Session(dataFolder), base);
    engine = new Engine(sessions, options.database, version);
    reason = 'port';
    server = createClickhouseServer(engine, new Spool(spoolFolder), options);
    const port = await listen(server, options.host, options.port);
    tell({ kind: 'ready', port, version, uncleanStop });
  } catch (error) {
    tell({ kind: 'failed', reason, message: messageOf(error) }, () => process.exit(1));
  }
}

/** Three quarters of what this machine or container has: more would only end in a kill. */
function memoryBytesHere(): number {
  const constrained = process.constrainedMemory();
  const whole = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(whole * 0.75);
}

async function writeConfig(
  base: ReadonlyMap<string, string>,
  memoryBytesMax: number,
): Promise<string> {
  const usersFile = join(directory, 'users.xml');
  const configFile = join(directory, 'config.xml');
  await writeFile(usersFile, usersConfig(base), { mode: 0o600 });
  await writeFile(configFile, engineConfig(usersFile, memoryBytesMax), { mode: 0o600 });
  return configFile;
}

/** The mark lies in the folder while the engine has it open; finding one means: not closed. */
async function markRunning(): Promise<boolean> {
  const path = join(directory, runningMark);
  try {
    await writeFile(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    const folder = await open(directory, 'r');
    await folder.sync();
    await folder.close();
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return true;
  }
}

async function prepare(session: EngineSession, database: string): Promise<string> {
  const run = (sql: string): Promise<EngineResult> =>
    session.queryAsync(sql, { format: 'TabSeparatedRaw' });
  await run(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)} ENGINE = Atomic`);
  const version = await run('SELECT version()');
  return Buffer.from(version.bytes()).toString('utf8').trim();
}

async function listen(on: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    on.once('error', reject);
    on.listen(port, host, () => {
      on.off('error', reject);
      resolve();
    });
  });
  return (on.address() as AddressInfo).port;
}

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  // What still runs then is cut off, and the mark stays: the next start knows.
  setTimeout(() => process.exit(1), stopWithinMs).unref();
  server?.close();
  await engine?.close();
  if (server !== undefined) await answersSent(server);
  if (root !== undefined) {
    root.close();
    await unlink(join(directory, runningMark)).catch(() => {
      // Nothing marks it then, which is what was wanted.
    });
  }
  process.exit(0);
}

/** Connections become idle once their answers are out; those that never do are cut. */
async function answersSent(on: Server): Promise<void> {
  const idle = setInterval(() => on.closeIdleConnections(), 10);
  const cut = setTimeout(() => on.closeAllConnections(), answersWithinMs);
  on.closeIdleConnections();
  await new Promise<void>((resolve) => {
    on.getConnections((_error, count) => {
      if (count === 0) resolve();
      else on.once('close', () => resolve());
    });
  });
  clearInterval(idle);
  clearTimeout(cut);
}

function tell(reply: EmbeddedReply, sent: () => void = () => {}): void {
  if (process.send !== undefined && process.connected) process.send(reply, sent);
  else sent();
}
