import type { JournalFs } from './journal-fs.js';

const sliceBytes = 1024 * 1024;
/** Slices between two syncs: small bursts, so that commits to another file are not held up. */
const slicesPerSync = 4;

/**
 * Makes a file of `bytes` zeros whose blocks are written and synced: a later write into it changes
 * no metadata, which makes its sync 1.4 times (4 KiB) to 3 times (1 MiB) cheaper. Slice by slice,
 * so the event loop stays free. Whoever calls removes a file that could not be finished.
 */
export async function preallocate(fs: JournalFs, path: string, bytes: number): Promise<void> {
  const file = await fs.open(path, 'create');
  try {
    const zeros = new Uint8Array(Math.min(sliceBytes, bytes));
    let slices = 0;
    for (let at = 0; at < bytes; at += zeros.byteLength) {
      const length = Math.min(zeros.byteLength, bytes - at);
      await file.write([zeros.subarray(0, length)], at);
      slices += 1;
      if (slices % slicesPerSync === 0) await file.sync();
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
