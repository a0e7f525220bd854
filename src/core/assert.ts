/**
 * Programmer errors end the process: continuing on a broken invariant could store wrong data.
 */
class AssertionFailure extends Error {}

export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionFailure(`broken invariant: ${invariant}`);
}
