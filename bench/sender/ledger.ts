import { Histogram } from './histogram.js';
import type { Audit } from './load.js';

/** The counts of one run; every workload writes into it, the audit at the end reads it. */
export class Ledger {
  sent = 0;
  acked = 0;
  refused = 0;
  lost = 0;
  disorder = 0;
  lastSentAtMs = 0;
  note = '';
  readonly latency = new Histogram();

  /** Remembers the first thing that went wrong. */
  remark(note: string): void {
    if (this.note === '') this.note = note;
  }

  get unanswered(): number {
    return this.sent - this.acked - this.lost;
  }

  audit(): Audit {
    const { sent, acked, refused, lost, unanswered, disorder, note } = this;
    const clean = sent === acked && refused + lost + unanswered + disorder === 0 && sent > 0;
    return { sent, acked, refused, lost, unanswered, disorder, clean, note };
  }
}
