import { readBuffer } from './raw-socket.js';

/** Gets each packet that the server sends: its first byte and its two bytes, or -1 without. */
export interface ReplyListener {
  onReply(header: number, word: number): void;
  onMalformed(header: number): void;
}

/**
 * Reads the short packets a sender is answered with: four bytes (CONNACK, PUBACK, PUBREC, PUBCOMP)
 * or two (PINGRESP). A packet may be split over any reads.
 */
export class Replies {
  private readonly listener: ReplyListener;
  /** The first bytes of a packet whose rest has not come, and how many there are (0…3). */
  private readonly held = new Uint8Array(4);
  private heldCount = 0;

  constructor(listener: ReplyListener) {
    this.listener = listener;
  }

  /** Reads `length` bytes at the beginning of `readBuffer`. */
  read(length: number): void {
    const buffer = readBuffer;
    const { listener } = this;
    let at = 0;
    while (this.heldCount > 0 && at < length) at = this.complete(at);
    while (at < length) {
      const size = at + 1 < length ? buffer[at + 1]! : 2;
      if (size === 2 && at + 4 <= length) {
        listener.onReply(buffer[at]!, (buffer[at + 2]! << 8) | buffer[at + 3]!);
        at += 4;
      } else if (size === 0) {
        listener.onReply(buffer[at]!, -1);
        at += 2;
      } else if (size === 2) {
        while (at < length) this.held[this.heldCount++] = buffer[at++]!;
      } else {
        listener.onMalformed(buffer[at]!);
        return;
      }
    }
  }

  /** Takes one byte for the packet held, and tells it when that makes it whole. */
  private complete(at: number): number {
    const { held } = this;
    held[this.heldCount++] = readBuffer[at]!;
    if (this.heldCount === 2 && held[1] === 0) {
      this.heldCount = 0;
      this.listener.onReply(held[0]!, -1);
    } else if (this.heldCount === 4) {
      this.heldCount = 0;
      this.listener.onReply(held[0]!, (held[2]! << 8) | held[3]!);
    } else if (this.heldCount === 2 && held[1] !== 2) {
      this.listener.onMalformed(held[0]!);
    }
    return at + 1;
  }
}
