import { Failure } from './failure.js';

const tooManyQueries = 202;

/**
 * Lets `runningMax` through at a time, in order of arrival. At most `waitingMax` wait, each at most
 * `waitMs`; the rest is told to come again.
 *
 *     0 ≤ running ≤ runningMax,  0 ≤ waiting ≤ waitingMax
 */
export class Turnstile {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waitMs: number;
  readonly #waiting: Array<(admitted: boolean) => void> = [];
  #running = 0;

  constructor(runningMax: number, waitingMax: number, waitMs: number) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
    this.#waitMs = waitMs;
  }

  /** Throws ClickHouse's error 202 when there is no room in time. Pair with `leave`. */
  async enter(): Promise<void> {
    if (this.#running < this.#runningMax) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= this.#waitingMax) throw this.#full();
    const admitted = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        resolve(false);
      }, this.#waitMs);
      const settle = (yes: boolean): void => {
        clearTimeout(timer);
        resolve(yes);
      };
      this.#waiting.push(settle);
    });
    if (!admitted) throw this.#full();
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next(true);
  }

  #full(): Failure {
    return new Failure(
      tooManyQueries,
      'TOO_MANY_SIMULTANEOUS_QUERIES',
      `Too many simultaneous queries. Maximum: ${this.#runningMax} + ${this.#waitingMax} waiting`,
    );
  }
}
