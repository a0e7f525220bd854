import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a program is started: pinned to a core, or free on all of them. */
export interface ChildOptions {
  core?: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

const tailCharacters = 4000;
const stopGraceMs = 30_000;

/**
 * A process of the bench: its output is kept (the last characters) for an error message, and it is
 * ended by its own id, never by name.
 */
export class Child {
  readonly process: ChildProcess;
  readonly command: string;
  output = '';
  private readonly ended: Promise<void>;
  private lineListener: ((line: string) => void) | undefined;
  private rest = '';

  constructor(command: string, args: string[], options: ChildOptions = {}) {
    const pinned = options.core !== undefined;
    // taskset replaces itself by the program: the process id is the program's own.
    this.command = `${command} ${args.join(' ')}`;
    this.process = spawn(
      pinned ? 'taskset' : command,
      pinned ? ['-c', String(options.core), command, ...args] : args,
      { cwd: options.cwd, env: options.env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.process.stdin?.on('error', () => {});
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => this.take(text));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.keep(text));
    this.ended = new Promise((resolve) => {
      this.process.once('close', () => resolve());
      this.process.once('error', (error) => {
        this.keep(error.message);
        resolve();
      });
    });
    running.add(this);
    void this.ended.then(() => running.delete(this)); // cannot reject
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error(`cannot start ${this.command}: ${this.output}`);
    return pid;
  }

  get alive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Gets each line of standard output. */
  onLine(listener: (line: string) => void): void {
    this.lineListener = listener;
  }

  write(text: string): void {
    this.process.stdin?.write(text);
  }

  /** Resolves when the process has ended; rejects after `timeoutMs`, having killed it. */
  async finished(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.process.kill('SIGKILL'), timeoutMs);
    await this.ended;
    clearTimeout(timer);
    if (this.process.signalCode === 'SIGKILL') {
      throw new Error(`${this.command} took longer than ${timeoutMs} ms\n${this.output}`);
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.alive) this.process.kill(signal);
    const timer = setTimeout(() => this.process.kill('SIGKILL'), stopGraceMs);
    await this.ended;
    clearTimeout(timer);
  }

  private take(text: string): void {
    this.keep(text);
    this.rest += text;
    const lines = this.rest.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.lineListener?.(line);
  }

  private keep(text: string): void {
    this.output = (this.output + text).slice(-tailCharacters);
  }
}

const running = new Set<Child>();

/** Ends whatever of ours still runs; for the end of the bench, however it ends. */
export async function stopAllChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
}

/** An interrupted bench leaves no process behind; the exit code is a shell's for a signal. */
export function stopAllChildrenOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    // Stopping never rejects.
    process.once(signal, () => void stopAllChildren().then(() => process.exit(code)));
  }
}

/** Waits until something accepts connections on the port. */
export async function waitForPort(port: number, child: Child, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (!child.alive) throw new Error(`${child.command} ended at start\n${child.output}`);
    if (Date.now() > deadline) {
      throw new Error(`${child.command} does not listen on ${port}\n${child.output}`);
    }
    await sleep(50);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
