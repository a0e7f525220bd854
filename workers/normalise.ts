/**
 * The worker thread that normalises batches: Piscina (src/ingest/pool.ts) loads this file and calls
 * its default export with one task after the other. Both buffers go back by transfer, not by copy.
 */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { Normaliser } from '../src/normalise/normalise.js';
import type { NormaliseTask } from '../src/normalise/result.js';

const normaliser = new Normaliser();

/** Resolves to the task's `NormaliseResult` on the other side. */
export default function normalise(task: NormaliseTask): unknown {
  const result = normaliser.normaliseBatch(task);
  return move({
    [transferableSymbol]: [result.input, result.output],
    [valueSymbol]: result,
  });
}
