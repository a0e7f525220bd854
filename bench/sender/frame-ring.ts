/**
 * The frames of packet identifiers 1…size in one buffer, and ready-made views of any run of them,
 * so that sending k messages is one write of one existing object. Connections share a ring as long
 * as its bytes never change.
 */
export class FrameRing {
  readonly size: number;
  readonly bytes: Buffer;
  /** Where frame i begins; entry `size` is the end. */
  readonly starts: Uint32Array;
  private readonly views: (Uint8Array | undefined)[];

  constructor(frames: Buffer[]) {
    this.size = frames.length;
    this.bytes = Buffer.concat(frames);
    this.starts = new Uint32Array(this.size + 1);
    for (let index = 0; index < this.size; index++) {
      this.starts[index + 1] = this.starts[index]! + frames[index]!.length;
    }
    this.views = new Array(this.size * this.size);
  }

  /** The frames `from` … `from + count - 1`, which do not pass the end. */
  run(from: number, count: number): Uint8Array {
    const key = from * this.size + count - 1;
    const known = this.views[key];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(this.starts[from]!, this.starts[from + count]!);
    this.views[key] = view;
    return view;
  }
}
