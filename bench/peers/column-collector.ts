/**
 * What a Node team would write first: parsed objects spread over column arrays, thrown away every
 * ten thousand rows. It makes the parsing peers do the work that normalising means.
 */
const rowsMax = 10_000;

export class ColumnCollector {
  private devices: string[] = [];
  private keys: string[] = [];
  private timestamps: number[] = [];
  private values: unknown[] = [];

  add(device: string, message: Record<string, unknown>): void {
    const now = Date.now();
    for (const key in message) {
      this.devices.push(device);
      this.keys.push(key);
      this.timestamps.push(now);
      this.values.push(message[key]);
    }
    if (this.keys.length >= rowsMax) this.clear();
  }

  private clear(): void {
    this.devices = [];
    this.keys = [];
    this.timestamps = [];
    this.values = [];
  }
}
