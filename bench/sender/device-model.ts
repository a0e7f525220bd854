import { publishFrame } from './frames.js';

/**
 * One simulated device with ten keys: five doubles, two integers, a counter, a flag, and a text of
 * which one in twenty is an object. Values walk as sensors do, and each message has a timestamp of
 * its own about a second after the one before, jittered, so every point is a row of its own.
 *
 * The payload has a fixed length: a message is made by writing digits into a finished frame.
 */
export const keysPerMessage = 10;

const doubles = ['temperature', 'humidity', 'pressure', 'voltage', 'current'];
const integers = ['rssi', 'speed'];
const texts = ['"ready"', '"drive"', '"pause"', '"error"'];
const objectText = '{"c":1}';

const numbers = [
  ...doubles.map((key) => `"${key}":20.00`),
  ...integers.map((key) => `"${key}":500`),
].join();
const others = '"count":1000000,"on":true ,"state":"ready"';
const template = `{"ts":1700000000000,"values":{${numbers},${others}}}`;

/** Byte offsets in the payload of what changes. */
const places = {
  ts: template.indexOf('1700'),
  doubles: doubles.map((key) => template.indexOf(`"${key}"`) + key.length + 3),
  integers: integers.map((key) => template.indexOf(`"${key}"`) + key.length + 3),
  count: template.indexOf('1000000'),
  on: template.indexOf('true'),
  state: template.indexOf('"ready"'),
};

const zero = 48;

/** A frame whose payload the model fills; all have the same length. */
export function pointsFrame(id: number): Buffer {
  return publishFrame(1, id, template);
}

/** Where the payload begins in such a frame. */
export const payloadStart = pointsFrame(1).length - template.length;

export class DeviceModel {
  private ts: number;
  private random: number;
  private count = 1_000_000;
  private readonly doubles = new Int32Array(doubles.length);
  private readonly integers = new Int32Array(integers.length);

  /** `startMs` is the first timestamp; `seed` makes each device walk its own way. */
  constructor(startMs: number, seed: number) {
    this.ts = startMs;
    this.random = (seed * 2654435761 + 1) | 1;
    for (let index = 0; index < this.doubles.length; index++) {
      this.doubles[index] = 2000 + (this.next() % 6000);
    }
    for (let index = 0; index < this.integers.length; index++) {
      this.integers[index] = 200 + (this.next() % 700);
    }
  }

  /** Writes the next message into the payload that begins at `at`. */
  write(bytes: Buffer, at: number): void {
    this.ts += 900 + (this.next() % 200);
    digits(bytes, at + places.ts, 13, this.ts);
    for (let index = 0; index < this.doubles.length; index++) {
      const value = this.walk(this.doubles[index]!, 1000, 9999, 12);
      this.doubles[index] = value;
      const place = at + places.doubles[index]!;
      digits(bytes, place, 2, (value / 100) | 0);
      digits(bytes, place + 3, 2, value % 100);
    }
    for (let index = 0; index < this.integers.length; index++) {
      const value = this.walk(this.integers[index]!, 100, 999, 3);
      this.integers[index] = value;
      digits(bytes, at + places.integers[index]!, 3, value);
    }
    this.count = this.count === 9_999_999 ? 1_000_000 : this.count + 1;
    digits(bytes, at + places.count, 7, this.count);
    const chance = this.next();
    bytes.write(chance % 16 === 0 ? 'false' : 'true ', at + places.on, 'latin1');
    const text = chance % 20 === 1 ? objectText : texts[(this.ts >>> 16) & 3]!;
    bytes.write(text, at + places.state, 'latin1');
  }

  private walk(value: number, low: number, high: number, step: number): number {
    const moved = value + (this.next() % (2 * step + 1)) - step;
    return moved < low || moved > high ? value : moved;
  }

  /** xorshift32: fast, and the same data in every run. */
  private next(): number {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    return x >>> 1;
  }
}

function digits(bytes: Buffer, at: number, count: number, value: number): void {
  let rest = value;
  for (let place = at + count - 1; place >= at; place--) {
    const higher = Math.floor(rest / 10);
    bytes[place] = zero + rest - higher * 10;
    rest = higher;
  }
}
