import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { openSqliteRegistry, type SqliteRegistry } from '../../src/registry/sqlite-registry.js';

/** A clock that stands still until it is advanced. */
export class ManualClock implements Clock {
  #now: number;

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}

/** Waits for what an unreferenced timer will bring; fails after ten seconds. */
export async function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing happened for 10 s')), 10_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A new folder, removed when the test has ended. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-registry-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A registry in `folder` (default: a new one), closed when the test has ended. */
export async function openTestRegistry(
  t: TestContext,
  clock: Clock = new ManualClock(),
  folder: string = temporaryFolder(t),
): Promise<SqliteRegistry> {
  const registry = await openSqliteRegistry(clock, silentLogger, folder);
  t.after(() => registry.close());
  return registry;
}

/** A child that runs `registry-process.ts`. */
export class RegistryProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(t: TestContext, folder: string, action: string, name = '') {
    const script = fileURLToPath(new URL('registry-process.js', import.meta.url));
    this.#child = spawn(process.execPath, [script, folder, action, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    t.after(() => this.#child.kill('SIGKILL'));
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Resolves when the child has printed this line. */
  async says(line: string): Promise<void> {
    const { value, done } = await soon(this.#lines.next());
    if (done === true || value !== line) throw new Error(`the child said ${String(value)}`);
  }

  /** Lets the child go on. */
  go(): void {
    this.#child.stdin.write('go\n');
  }

  /** Ends it with SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
