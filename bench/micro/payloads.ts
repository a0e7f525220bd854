/** A family of payloads whose values vary, as those of devices do. */
export interface PayloadFamily {
  readonly name: string;
  /** What a reader should think of. */
  readonly example: string;
  payload(): string;
}

const sensors = [
  ...['temp_in', 'temp_out', 'humidity', 'pressure', 'co2', 'voc', 'pm25', 'noise', 'light'],
  ...[
    'battery',
    'rssi',
    'snr',
    'uptime',
    'count',
    'speed',
    'heading',
    'lat',
    'lon',
    'alt',
    'power',
  ],
];

/** The payloads of the micro benches, from a fixed seed. */
export function payloadFamilies(): PayloadFamily[] {
  const random = new Sequence(20_231_114);
  const decimals = (from: number, to: number, digits: number): string =>
    (from + random.next() * (to - from)).toFixed(digits);
  const integer = (below: number): number => Math.floor(random.next() * below);
  const flat = (space: string): string =>
    `{"temperature":${space}${decimals(15, 35, 2)},${space}"humidity":${space}` +
    `${decimals(30, 90, 1)},${space}"n":${space}${integer(1000)}}`;
  const wideValue = (index: number): string =>
    index % 3 === 2 ? String(integer(10_000)) : decimals(0, 100, (index % 3) + 1);
  const family = (name: string, payload: () => string): PayloadFamily => {
    return { name, example: payload(), payload };
  };
  return [
    family('flat, 3 keys', () => flat('')),
    family('wide, 20 keys', () => {
      return `{${sensors.map((key, index) => `"${key}":${wideValue(index)}`).join(',')}}`;
    }),
    family('flat, spaces', () => flat(' ')),
    family('ts and values', () => {
      const ts = 1_700_000_000_000 + integer(1e9);
      const temperature = decimals(15, 35, 2);
      return `{"ts":${ts},"values":{"temperature":${temperature},"humidity":${integer(100)}}}`;
    }),
    family('17 digits', () => `{"temperature":${random.next() * 40},"humidity":${random.next()}}`),
    family('strings', () => {
      const name = `Pump ${integer(50)}`;
      return `{"status":"running","mode":"auto-${integer(7)}","on":true,"name":"${name}"}`;
    }),
    family('nested', () => {
      const location = `{"latitude":51.${integer(10_000)},"longitude":-0.${integer(10_000)}}`;
      return `{"temperature":${decimals(15, 35, 2)},"location":${location},"sensors":[1,2,3]}`;
    }),
  ];
}

/** The same numbers in every run (mulberry32). */
class Sequence {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
