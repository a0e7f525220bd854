import { NodeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { isSpaceError } from './journal-fs.js';

export interface Readiness {
  readonly ready: boolean;
  /** One sentence for an operator; undefined when ready. */
  readonly reason: string | undefined;
}

/**
 * Whether the journal accepts appends, and if not, why.
 *
 *   ready ──no room──► full ──segment released, space freed──► ready
 *     │                                                          ▲
 *     └──two failures in a row──► failed ──a new segment works───┘
 *
 * The error is made once per change of state and handed to every refused append.
 */
export class Availability {
  readonly #logger: Logger;
  #problem: NodeError | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#problem = undefined;
  }

  /** SLUICE_JOURNAL_FULL or SLUICE_JOURNAL_FAILED; undefined when appends are accepted. */
  get problem(): NodeError | undefined {
    return this.#problem;
  }

  readiness(): Readiness {
    const problem = this.#problem;
    return { ready: problem === undefined, reason: problem?.message };
  }

  refuse(problem: NodeError): void {
    const known = this.#problem?.code === problem.code;
    this.#problem = problem;
    if (known) return; // the same again, with other numbers
    this.#logger.error('journal_unavailable', { code: problem.code, error: problem.message });
  }

  accept(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#logger.info('journal_available');
  }
}

/** What an operator reads when `verb` failed with the system's error `thrown`. */
export function journalError(verb: string, thrown: unknown): NodeError {
  if (thrown instanceof NodeError) return thrown;
  const cause = thrown instanceof Error ? thrown.message : String(thrown);
  if (isSpaceError(thrown)) return fullError(`cannot ${verb}: ${cause}`);
  const remedy = 'Check the disk and the rights of the data directory; the journal tries again.';
  return new NodeError('SLUICE_JOURNAL_FAILED', `cannot ${verb}: ${cause}`, remedy, thrown);
}

export function fullError(message: string): NodeError {
  const remedy = 'Free disk space, let ClickHouse catch up, or raise journal.bytesMax.';
  return new NodeError('SLUICE_JOURNAL_FULL', message, remedy);
}
