import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../core/clock.js';
import { messageOf, NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { EmbeddedReply, EmbeddedStart, EmbeddedStop } from './embedded-protocol.js';
import { readOrCreatePassword } from './password-file.js';

export interface EmbeddedOptions {
  /** Folder of the store, used by one process at a time. */
  readonly directory: string;
  /** Holds the generated password, mode 0600; made when it is missing. */
  readonly passwordFile: string;
  readonly host: string;
  /** 0 takes a free port and keeps it until `close`. */
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly memoryBytesMax: number;
  /** Longest wait before a restart; undefined: ten seconds. */
  readonly restartLongestMs?: number | undefined;
  /** How long to wait for a predecessor that still holds the folder; undefined: twelve seconds. */
  readonly lockWithinMs?: number | undefined;
}

const workerFile = fileURLToPath(new URL('../../workers/clickhouse.js', import.meta.url));
const readyWithinMs = 120_000;
/** Longer than a predecessor takes to close. */
const lockWithinMsDefault = 12_000;
const lockRetryMs = 250;
const stopWithinMs = 12_000;
const restartFirstMs = 100;
const restartLongestMsDefault = 10_000;
/** After this long without a crash the back-off starts anew. */
const steadyAfterMs = 60_000;
const stderrKept = 4096;

/**
 * Keeps the process of the embedded ClickHouse running: starts it, restarts it after a crash, ends
 * it with the node.
 *
 *     start ─► up ─► exit? ─► uncleanStops + 1 ─► back-off with jitter ─► start …
 *              └─ close ─► stop ─► exit
 *
 * Invariant: `uncleanStops` has grown before the next process can answer, so whoever compares it
 * after an answer with what it was before the question knows whether the store stopped in between.
 */
export class EmbeddedClickhouse {
  readonly user: string;
  readonly password: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: EmbeddedOptions;
  readonly #listeners: Array<(up: boolean) => void> = [];
  #port: number;
  #version = '';
  #uncleanStops = 0;
  #child: ChildProcess | undefined;
  #up = false;
  #closing = false;
  #crashes = 0;
  #stderr = '';

  private constructor(clock: Clock, logger: Logger, options: EmbeddedOptions, password: string) {
    this.#clock = clock;
    this.#logger = logger;
    this.#options = options;
    this.#port = options.port;
    this.user = options.user;
    this.password = password;
  }

  /** Starts the process and waits until it answers. Throws a `NodeError` with a remedy. */
  static async start(
    clock: Clock,
    logger: Logger,
    options: EmbeddedOptions,
  ): Promise<EmbeddedClickhouse> {
    const password = await readOrCreatePassword(options.passwordFile);
    const embedded = new EmbeddedClickhouse(clock, logger, options, password);
    try {
      if (await embedded.#launchUnlocked()) embedded.#uncleanStops += 1;
    } catch (error) {
      await embedded.close();
      throw error;
    }
    return embedded;
  }

  /** Base address for `ClickhouseClient`; stays the same over restarts. */
  get url(): string {
    const host = this.#options.host.includes(':') ? `[${this.#options.host}]` : this.#options.host;
    return `http://${host}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Version of the engine. */
  get version(): string {
    return this.#version;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Id of the running process, for tests and for whoever pins it to a processor. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Times the store stopped without closing, the one before this start included. */
  get uncleanStops(): number {
    return this.#uncleanStops;
  }

  /** `listener` is told each time the process came up or went down. */
  onChange(listener: (up: boolean) => void): void {
    this.#listeners.push(listener);
  }

  /** Ends the process: it finishes what it runs; after twelve seconds it is killed. */
  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const order: EmbeddedStop = { kind: 'stop' };
    if (child.connected) child.send(order, () => {});
    else child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
    await exited;
    clearTimeout(timer);
  }

  /** Launches; waits while a predecessor that is closing holds the folder. */
  async #launchUnlocked(): Promise<boolean> {
    const wait = this.#options.lockWithinMs ?? lockWithinMsDefault;
    const until = this.#clock.monotonic() + wait;
    for (;;) {
      try {
        return await this.#launch();
      } catch (error) {
        const locked = error instanceof NodeError && error.code === 'SLUICE_DATA_LOCKED';
        if (!locked || this.#closing || this.#clock.monotonic() >= until) throw error;
        await pause(lockRetryMs);
      }
    }
  }

  /** One process, up to its first answer. Returns whether its predecessor stopped uncleanly. */
  async #launch(): Promise<boolean> {
    const options = this.#options;
    this.#stderr = '';
    const child = fork(workerFile, [], {
      // Only what the process needs: each running statement holds a thread of this pool.
      env: { UV_THREADPOOL_SIZE: '16' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Out of the terminal's group: Ctrl-C is the node's to handle, and it drains first.
      detached: true,
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    const order: EmbeddedStart = {
      kind: 'start',
      directory: options.directory,
      host: options.host,
      port: this.#port,
      user: options.user,
      password: this.password,
      database: options.database,
      memoryBytesMax: options.memoryBytesMax,
    };
    const reply = await firstReply(child, order);
    if (reply.kind === 'failed') throw this.#failure(reply.reason, reply.message);
    this.#port = reply.port;
    this.#version = reply.version;
    const startedAt = this.#clock.monotonic();
    child.once('exit', (code, signal) => this.#onExit(code, signal, startedAt));
    if (child.exitCode !== null || child.signalCode !== null) {
      this.#onExit(child.exitCode, child.signalCode, startedAt);
    }
    this.#logger.info('clickhouse.started', { port: this.#port, version: this.#version });
    this.#tell(true);
    return reply.uncleanStop;
  }

  #onExit(code: number | null, signal: string | null, startedAt: number): void {
    const clean = code === 0;
    if (!clean) this.#uncleanStops += 1;
    this.#tell(false);
    if (this.#closing) return;
    if (this.#clock.monotonic() - startedAt > steadyAfterMs) this.#crashes = 0;
    this.#logger.error('clickhouse.stopped', { code, signal, stderr: this.#stderr.slice(-500) });
    // Runs by itself until the process is up again or the node closes.
    void this.#restart();
  }

  async #restart(): Promise<void> {
    const longest = this.#options.restartLongestMs ?? restartLongestMsDefault;
    while (!this.#closing) {
      const backOff = Math.min(longest, restartFirstMs * 2 ** this.#crashes);
      this.#crashes += 1;
      await pause(backOff * (0.75 + Math.random() / 2));
      if (this.#closing) return;
      try {
        await this.#launchUnlocked();
        // Without a wait above, `close` found no process to end.
        if (this.#closing) await this.close();
        return;
      } catch (error) {
        this.#logger.error('clickhouse.restart_failed', { cause: messageOf(error) });
      }
    }
  }

  #hear(text: string): void {
    this.#stderr = (this.#stderr + text).slice(-stderrKept);
    this.#logger.limited('clickhouse.stderr', { text: text.slice(0, 500) });
  }

  #failure(reason: 'binary' | 'engine' | 'port' | 'exit', cause: string): NodeError {
    const { directory, port } = this.#options;
    const detail = this.#stderr.trim().split('\n').at(-1) ?? '';
    if (reason === 'binary') {
      return new NodeError(
        'SLUICE_BINARY_MISSING',
        `cannot load the embedded ClickHouse (npm package chdb): ${cause}`,
        'Run `npm install chdb`, or set clickhouse.url to use a ClickHouse server.',
      );
    }
    if (reason === 'port') {
      return new NodeError(
        cause.includes('EACCES') ? 'SLUICE_PORT_DENIED' : 'SLUICE_PORT_TAKEN',
        `cannot listen on port ${port} for the embedded ClickHouse: ${cause}`,
        'Stop the other program or set clickhouse.embedded.port.',
      );
    }
    if (this.#stderr.includes('Cannot lock file')) {
      return new NodeError(
        'SLUICE_DATA_LOCKED',
        `cannot open ${directory}: another process uses this ClickHouse folder`,
        'Stop the other node or use another --data-dir.',
      );
    }
    return new NodeError(
      'SLUICE_DATA_UNUSABLE',
      `cannot open the embedded ClickHouse in ${directory}: ${detail === '' ? cause : detail}`,
      'Check the rights and the free space of the folder.',
    );
  }

  #tell(up: boolean): void {
    if (this.#up === up) return;
    this.#up = up;
    for (const listener of this.#listeners) listener(up);
  }
}

/**
 * The process's answer to the order to start; its death and its silence are answers too. A refusal
 * is told once the process is gone, because its last words are on standard error.
 */
async function firstReply(child: ChildProcess, order: EmbeddedStart): Promise<EmbeddedReply> {
  return await new Promise<EmbeddedReply>((resolve) => {
    let refusal: EmbeddedReply | undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), readyWithinMs);
    const settle = (reply: EmbeddedReply): void => {
      clearTimeout(timer);
      resolve(reply);
    };
    const failed = (message: string): void => {
      settle(refusal ?? { kind: 'failed', reason: 'engine', message });
    };
    child.once('message', (message) => {
      const reply = message as EmbeddedReply;
      if (reply.kind === 'ready') settle(reply);
      else refusal = reply;
    });
    child.once('error', (error) => failed(messageOf(error)));
    child.once('close', (code, signal) => failed(`the process ended with ${signal ?? code}`));
    // When it cannot be told any more it is gone, which `close` reports.
    child.send(order, () => {});
  });
}
