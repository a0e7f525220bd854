/**
 * Programmer errors end the process: continuing on a broken invariant could store wrong data.
 */
export class AssertionFailure extends Error {}

export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionFailure(`broken invariant: ${invariant}`);
}

/** Closes a `switch` over a union: the compiler shows what was forgotten. */
export function assertNever(value: never): never {
  throw new AssertionFailure(`unexpected value: ${String(value)}`);
}
