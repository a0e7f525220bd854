import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Clock } from '../../../src/core/clock.js';
import { type ErrorCode, NodeError } from '../../../src/core/errors.js';
import type { Registry } from '../../../src/registry/registry.js';
import { ManualClock } from '../../support/registry.js';

/** Opens an empty registry that is closed when the test has ended. */
export type OpenRegistry = (t: TestContext, clock: Clock) => Promise<Registry>;

export type ContractRun = (registry: Registry, clock: ManualClock) => Promise<void>;

/** Declares tests that any implementation of the registry passes. */
export class ContractTests {
  readonly #kind: string;
  readonly #open: OpenRegistry;

  constructor(kind: string, open: OpenRegistry) {
    this.#kind = kind;
    this.#open = open;
  }

  /** `run` gets a registry of its own and the clock it reads. */
  test(name: string, run: ContractRun): void {
    void test(`${this.#kind}: ${name}`, async (t) => {
      const clock = new ManualClock();
      await run(await this.#open(t, clock), clock);
    });
  }
}

/** Resolves when `promise` rejects with a NodeError of this code whose message matches. */
export async function refuses(
  promise: Promise<unknown>,
  code: ErrorCode,
  message: RegExp,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof NodeError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}
