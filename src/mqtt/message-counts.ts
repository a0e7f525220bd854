import type { Metrics } from '../core/metrics.js';
import { MessageKind } from '../normalise/batch-layout.js';

const kinds = 5;
const labels: readonly string[] = Object.freeze(
  Array.from({ length: kinds }, (_, kind) => {
    if (kind === MessageKind.telemetryJson || kind === MessageKind.telemetryMsgpack) {
      return 'telemetry';
    }
    return kind === MessageKind.refused ? 'other' : 'attributes';
  }),
);

/**
 * Messages received since the last report, by QoS and kind: plain additions on the data path, one
 * metric increment per sweep.
 */
export class MessageCounts {
  readonly #metrics: Metrics;
  /** At `qos × 5 + kind`. */
  readonly counts: Float64Array;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.counts = new Float64Array(3 * kinds);
  }

  add(qos: number, kind: MessageKind): void {
    const index = qos * kinds + kind;
    this.counts[index] = this.counts[index]! + 1;
  }

  report(): void {
    for (let index = 0; index < this.counts.length; index++) {
      const count = this.counts[index] ?? 0;
      if (count === 0) continue;
      this.counts[index] = 0;
      const qos = String(Math.floor(index / kinds));
      const kind = labels[index % kinds] ?? 'other';
      this.#metrics.messagesReceived.inc({ protocol: 'mqtt', qos, kind }, count);
    }
  }
}
