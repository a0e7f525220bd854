import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const entry = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const run = promisify(execFile);
const startDeadlineMs = 60_000;

/** The ports of a running node as `node.json` lists them. */
export interface NodePorts {
  readonly mqtt: number;
  readonly http: number;
  readonly metrics: number;
  readonly clickhouse: number;
}

export interface NodeProcessOptions {
  /** Default: a new temporary folder, removed by `dispose`. */
  readonly dataDir?: string;
  /** Further flags of `sluice start`. */
  readonly flags?: readonly string[];
}

/**
 * A real node in a process of its own, on free ports, with a data directory of its own. It can be
 * killed and started again on the same directory.
 */
export class NodeProcess {
  readonly dataDir: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #ports: NodePorts | undefined;
  /** What the current process printed, for the message of a failed assertion. */
  output: string;

  constructor(options: NodeProcessOptions = {}) {
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sluice-test-'));
    this.#flags = options.flags ?? [];
    this.#child = undefined;
    this.#ports = undefined;
    this.output = '';
  }

  get ports(): NodePorts {
    assert(this.#ports, 'the node runs');
    return this.#ports;
  }

  get pid(): number {
    assert(this.#child?.pid, 'the node runs');
    return this.#child.pid;
  }

  /** Starts the node and resolves when it listens. Extra flags are for this start only. */
  async start(extraFlags: readonly string[] = []): Promise<void> {
    this.output = '';
    const flags = ['mqtt', 'http', 'metrics', 'clickhouse.embedded'].map(
      (key) => `--${key}.port=0`,
    );
    const child = spawn(
      process.execPath,
      [entry, 'start', '--data-dir', this.dataDir, ...flags, ...this.#flags, ...extraFlags],
      { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.dataDir },
    );
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString()).slice(-20_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const deadline = Date.now() + startDeadlineMs;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the node ended at start (${child.exitCode}):\n${this.output}`);
      }
      const ports = this.#readPorts(child.pid);
      if (ports !== undefined) {
        this.#ports = ports;
        return;
      }
      assert(Date.now() < deadline, `the node did not start in time:\n${this.output}`);
      await sleep(20);
    }
  }

  /** Ends the process with `signal` and resolves with its exit code (null when killed). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return 0;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const code = await ended;
    this.#child = undefined;
    this.#ports = undefined;
    return code;
  }

  /** Stops the node if it runs and removes the data directory. */
  async dispose(): Promise<void> {
    await this.stop('SIGTERM');
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Runs `sluice …` on this data directory; rejects when it exits with another code than 0. */
  async cli(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [entry, ...args, '--data-dir', this.dataDir], {
      maxBuffer: 64 * 1024 * 1024,
      cwd: this.dataDir,
    });
    return stdout;
  }

  async createDevice(name: string, ...args: string[]): Promise<{ id: string; token: string }> {
    return JSON.parse(await this.cli('device', 'create', name, ...args, '--json'));
  }

  /** Rows of a query through the command line, as a user gets them. */
  async sql<Row = Record<string, unknown>>(query: string): Promise<Row[]> {
    const text = await this.cli('sql', query, '--json');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  }

  /** Repeats a query until `done` accepts its rows; fails with the last rows after `withinMs`. */
  async sqlUntil<Row = Record<string, unknown>>(
    query: string,
    done: (rows: Row[]) => boolean,
    withinMs = 20_000,
  ): Promise<Row[]> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const rows = await this.sql<Row>(query);
      if (done(rows)) return rows;
      assert(
        Date.now() < deadline,
        `not within ${withinMs} ms: ${query}\n${JSON.stringify(rows.slice(0, 20))}\n${this.output}`,
      );
      await sleep(100);
    }
  }

  #readPorts(pid: number | undefined): NodePorts | undefined {
    const path = join(this.dataDir, 'node.json');
    if (!existsSync(path)) return undefined;
    try {
      const node = JSON.parse(readFileSync(path, 'utf8'));
      return node.pid === pid && node.ports.mqtt > 0 ? node.ports : undefined;
    } catch {
      // Being replaced right now.
      return undefined;
    }
  }
}
