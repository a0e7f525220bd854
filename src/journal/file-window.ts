import type { JournalFile } from './journal-fs.js';

const windowBytes = 1024 * 1024;
const pageBytes = 4096;

/**
 * A piece of a file in memory that moves forward.
 *
 *   file  ───────────┬─────────────────────────┬──────► limit
 *                    base      (1 MiB)         base + length
 *
 * `base` is a multiple of 4,096, so that what is aligned in the file is aligned in `bytes`. Pages
 * that the device cannot read are zeros and counted: their checksums will tell.
 */
export class FileWindow {
  readonly #file: JournalFile;
  readonly #limit: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint32Array;
  base: number;
  length: number;
  unreadablePages: number;

  constructor(file: JournalFile, limit: number) {
    this.#file = file;
    this.#limit = limit;
    const size = Math.min(windowBytes, Math.ceil(limit / pageBytes) * pageBytes);
    const buffer = new ArrayBuffer(size + pageBytes);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer);
    this.base = 0;
    this.length = 0;
    this.unreadablePages = 0;
  }

  /** How many bytes from `at` on are in memory. */
  available(at: number): number {
    if (at < this.base) return 0;
    return Math.max(0, this.base + this.length - at);
  }

  /** Moves so that `at` is inside; the window is shorter only where the file or the limit ends. */
  async moveTo(at: number): Promise<void> {
    const base = at - (at % pageBytes);
    const wanted = this.bytes.subarray(0, Math.min(this.bytes.byteLength, this.#limit - base));
    this.base = base;
    try {
      this.length = await this.#file.read(wanted, base);
    } catch {
      this.length = await this.#readByPage(wanted, base);
    }
  }

  async #readByPage(into: Uint8Array, base: number): Promise<number> {
    let filled = 0;
    for (let at = 0; at < into.byteLength; at += pageBytes) {
      const page = into.subarray(at, at + pageBytes);
      try {
        filled += await this.#file.read(page, base + at);
      } catch {
        page.fill(0);
        filled += page.byteLength;
        this.unreadablePages += 1;
      }
    }
    return filled;
  }
}
