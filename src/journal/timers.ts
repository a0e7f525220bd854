/** The journal's waits, so that a test can let time pass by hand. */
export interface JournalTimers {
  /** Calls `callback` once after `ms`, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void;
}

export const systemTimers: JournalTimers = Object.freeze({
  after(ms: number, callback: () => void): () => void {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
});
