import type { Metrics } from '../core/metrics.js';
import type { Exchange } from './exchange.js';
import { writeAnswer } from './server.js';
import { type Answer, answers } from './status.js';

/**
 * @hot Writes the answers of device messages, each in one system call, and counts them by status.
 *
 * The function that the engine calls back is made once and reads fields of this object, so that an
 * answer allocates nothing.
 */
export class AnswerWriter {
  readonly #metrics: Metrics;
  readonly #counts: Map<number, number>;
  readonly #refused: Exchange[];
  readonly #write: () => void;
  #okCount: number;
  #response: Exchange['response'];
  #answer: Answer;
  #close: boolean;
  /** The node is stopping: every answer ends its connection. */
  stopping: boolean;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#counts = new Map();
    this.#refused = [];
    this.#okCount = 0;
    this.#response = undefined;
    this.#answer = answers.ok;
    this.#close = false;
    this.stopping = false;
    this.#write = () => {
      if (this.#response === undefined) return;
      // The engine's default status is 200, and what is not passed need not be converted.
      if (this.#answer === answers.ok && !this.#close) this.#response.end();
      else writeAnswer(this.#response, this.#answer, this.#close);
    };
  }

  /** Answers an exchange whose body is complete. Must not be called while the engine reads it. */
  write(exchange: Exchange, answer: Answer): void {
    const response = exchange.response;
    if (response === undefined) return;
    exchange.response = undefined;
    this.count(answer);
    this.#response = response;
    this.#answer = answer;
    this.#close = exchange.closes || answer.closes || this.stopping;
    response.cork(this.#write);
    this.#response = undefined;
  }

  /** Answers after this turn of the event loop, see `refuse` in server.ts. */
  writeLater(exchange: Exchange, answer: Answer): void {
    exchange.refusal = answer;
    this.#refused.push(exchange);
    if (this.#refused.length === 1) setImmediate(this.#writeRefused);
  }

  count(answer: Answer): void {
    if (answer === answers.ok) this.#okCount += 1;
    else this.#counts.set(answer.code, (this.#counts.get(answer.code) ?? 0) + 1);
  }

  /** Adds what was counted to the metrics; called once per batch and second. */
  report(): void {
    if (this.#okCount > 0) this.#metrics.httpResponses.inc({ status: '200' }, this.#okCount);
    this.#okCount = 0;
    if (this.#counts.size === 0) return;
    for (const [code, count] of this.#counts) {
      this.#metrics.httpResponses.inc({ status: String(code) }, count);
    }
    this.#counts.clear();
  }

  readonly #writeRefused = (): void => {
    for (const exchange of this.#refused.splice(0)) {
      if (exchange.refusal !== undefined) this.write(exchange, exchange.refusal);
    }
  };
}
