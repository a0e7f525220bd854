import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { NodeError } from '../core/errors.js';
import type { NormaliseResult, NormaliseTask } from '../normalise/result.js';

/** Tasks that wait in one worker behind the one it works on, so that it never idles between two. */
const tasksPerWorker = 2;

/**
 * The worker threads that normalise batches; the only door to Piscina.
 *
 * A task's buffers are transferred to the worker and back. A worker that dies takes its buffers
 * with it: `run` rejects, the caller settles those messages as not stored, Piscina starts another
 * worker.
 */
export class NormalisePool {
  readonly #piscina: Piscina<NormaliseTask, NormaliseResult>;
  readonly threads: number;

  constructor(threads: number) {
    this.threads = threads;
    this.#piscina = new Piscina<NormaliseTask, NormaliseResult>({
      filename: fileURLToPath(new URL('../../workers/normalise.js', import.meta.url)),
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: tasksPerWorker,
      idleTimeout: Number.POSITIVE_INFINITY,
      // Blocking waits inside a worker measured slower here than a message when batches are small.
      atomics: 'disabled',
      recordTiming: false,
      workerHistogram: false,
    });
    this.#piscina.on('error', () => {
      // The rejected promise of the task tells the same; without a listener it would end the node.
    });
  }

  /** Batches that may be with the workers at once. */
  get capacity(): number {
    return this.threads * tasksPerWorker;
  }

  async run(task: NormaliseTask): Promise<NormaliseResult> {
    try {
      return await this.#piscina.run(task, { transferList: [task.input, task.output] });
    } catch (thrown) {
      throw new NodeError(
        'SLUICE_WORKER_FAILED',
        'cannot normalise a batch: its worker ended',
        'The messages were not acknowledged; devices send them again.',
        thrown,
      );
    }
  }

  async close(): Promise<void> {
    await this.#piscina.destroy();
  }
}
