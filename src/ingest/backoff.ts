import { setTimeout as sleep } from 'node:timers/promises';

const firstMs = 100;
const lastMs = 15_000;

/**
 * Waits before attempt `attempt + 2`: full jitter over an exponentially growing span, so that nodes
 * that lost the same server do not come back together. Returns early when `signal` aborts.
 */
export async function backoff(attempt: number, signal: AbortSignal): Promise<void> {
  const span = Math.min(lastMs, firstMs * 2 ** Math.min(attempt, 10));
  try {
    await sleep(span / 2 + (Math.random() * span) / 2, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
