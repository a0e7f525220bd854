/**
 * Loaded into the node under test with `--import`: counts what its main thread allocates on the
 * JavaScript heap. The first SIGUSR2 begins, the second writes the bytes to the file that
 * `BENCH_HEAP_FILE` names, and so on in turn.
 *
 * V8's sampling profiler is told to keep what the collector has taken meanwhile, so the sum is what
 * was allocated and not what is left. Memory of buffers outside the heap is not in it.
 */
import { writeFileSync } from 'node:fs';
import { type HeapProfiler, Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';

const samplingIntervalBytes = 2048;
const file = process.env['BENCH_HEAP_FILE'];

// Worker threads and child processes inherit the option; only the node's main thread is meant.
if (isMainThread && file !== undefined && process.argv.includes('start')) install(file);

function install(path: string): void {
  const session = new Session();
  session.connect();
  let running = false;
  process.on('SIGUSR2', () => {
    if (running) {
      session.post('HeapProfiler.stopSampling', (error, result) => {
        const bytes = error === null ? allocated(result.profile.head) : Number.NaN;
        writeFileSync(path, JSON.stringify({ bytes }));
      });
    } else {
      session.post('HeapProfiler.startSampling', {
        samplingInterval: samplingIntervalBytes,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      });
    }
    running = !running;
  });
}

function allocated(node: HeapProfiler.SamplingHeapProfileNode): number {
  let sum = node.selfSize;
  for (const child of node.children) sum += allocated(child);
  return sum;
}
