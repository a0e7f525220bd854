import type { Random } from './random.js';

/** What a generated document must be stored as, known from how it was made. */
export interface ExpectedValue {
  readonly key: string;
  /** Time of the point, undefined for the arrival. */
  readonly ts: number | undefined;
  readonly kind: 'number' | 'string' | 'bool' | 'json';
  /** A number's literal; a string's content; `true` or `false`; JSON text without white space. */
  readonly text: string;
}

export interface Document {
  readonly text: string;
  /** In order, the last of duplicate keys only. */
  readonly expected: readonly ExpectedValue[];
}

interface Value {
  readonly kind: ExpectedValue['kind'] | 'null';
  /** As it stands in the document. */
  readonly source: string;
  readonly text: string;
}

/** Makes valid telemetry documents of every form, from one seeded generator. */
export class DocumentMaker {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  document(): Document {
    const roll = this.#random.next();
    if (roll < 0.8) return this.#element(this.#space());
    const elements = Array.from({ length: this.#upTo(4) }, () => this.#element(this.#space()));
    const text = `[${elements.map((element) => element.text).join(',')}${this.#space()}]`;
    return { text, expected: elements.flatMap((element) => element.expected) };
  }

  #element(space: string): Document {
    if (this.#random.next() < 0.8) {
      const object = this.#object(undefined, this.#upTo(6), true);
      return { text: space + object.text + space, expected: object.expected };
    }
    const ts = this.#pick([0, 5, 1_451_649_600_512, 1_700_000_000_000, 9_223_372_036_854]);
    const values = this.#object(ts, this.#upTo(5), false);
    const members = [
      `${this.#name('ts')}${space}:${space}${this.#half() ? ts : `"${ts}"`}`,
      `${this.#name('values')}:${space}${values.text}`,
    ];
    if (this.#random.next() < 0.3) members.reverse();
    if (this.#random.next() < 0.3) {
      members.splice(this.#upTo(2), 0, `"sibling":${this.#value(2).source}`);
    }
    return { text: `{${space}${members.join(`,${space}`)}}`, expected: values.expected };
  }

  #object(ts: number | undefined, members: number, message: boolean): Document {
    const last = new Map<string, ExpectedValue>();
    const space = this.#space();
    const texts: string[] = [];
    for (let member = 0; member < members; member += 1) {
      const key = this.#key(message);
      const value = this.#value(3);
      texts.push(`${space}${this.#name(key)}:${space}${value.source}`);
      last.delete(key);
      if (value.kind !== 'null') last.set(key, { key, ts, kind: value.kind, text: value.text });
    }
    return { text: `{${texts.join(',')}${space}}`, expected: [...last.values()] };
  }

  #key(message: boolean): string {
    const roll = this.#random.next();
    if (roll < 0.7) return this.#pick(commonKeys);
    if (roll < 0.75) return this.#pick(['__proto__', 'constructor', 'toString', 'a"b', 'back\\']);
    // Never both in one message object: that would be an envelope.
    if (roll < 0.8) return message ? 'ts' : this.#pick(['ts', 'values']);
    if (roll < 0.9) return this.#pick(['température', '湿度', '😀', 'ключ', 'a'.repeat(255)]);
    return `k${this.#upTo(400)}`;
  }

  #name(key: string): string {
    const plain = JSON.stringify(key);
    if (this.#random.next() < 0.97) return plain;
    const escaped = [...key].map((letter) => this.#escape(letter));
    return `"${escaped.join('')}"`;
  }

  #escape(letter: string): string {
    const units = Array.from({ length: letter.length }, (_, index) => letter.charCodeAt(index));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  }

  #value(depth: number): Value {
    const roll = this.#random.next();
    if (roll < 0.65) {
      const source = this.#number();
      return { kind: 'number', source, text: source };
    }
    if (roll < 0.8) return this.#string();
    if (roll < 0.88) {
      const source = this.#half() ? 'true' : 'false';
      return { kind: 'bool', source, text: source };
    }
    if (roll < 0.93 || depth === 0) return { kind: 'null', source: 'null', text: 'null' };
    return this.#nested(depth - 1);
  }

  #nested(depth: number): Value {
    const values = Array.from({ length: this.#upTo(3) }, () => this.#value(depth));
    const space = this.#space();
    if (this.#half()) {
      const source = `[${space}${values.map((value) => value.source).join(`${space},`)}${space}]`;
      return { kind: 'json', source, text: `[${values.map(compact).join(',')}]` };
    }
    const names = values.map(() => this.#name(this.#key(false)));
    const members = values.map((value, index) => `${names[index]}${space}:${value.source}`);
    return {
      kind: 'json',
      source: `{${space}${members.join(`,${space}`)}}`,
      text: `{${values.map((value, index) => `${names[index]}:${compact(value)}`).join(',')}}`,
    };
  }

  #string(): Value {
    const content = this.#pick(strings);
    const letters = [...content];
    const source = letters.map((letter) => {
      if (letter < ' ' || letter === '"' || letter === '\\') return this.#escape(letter);
      return this.#random.next() < 0.02 ? this.#escape(letter) : letter;
    });
    return { kind: 'string', source: `"${source.join('')}"`, text: content };
  }

  #number(): string {
    const sign = this.#random.next() < 0.2 ? '-' : '';
    const roll = this.#random.next();
    if (roll < 0.25) return sign + this.#upTo(10 ** this.#random.between(1, 6));
    if (roll < 0.5) {
      return sign + (this.#random.next() * 10 ** this.#upTo(5)).toFixed(this.#random.between(1, 8));
    }
    if (roll < 0.6) return sign + this.#random.next() * 100;
    if (roll < 0.65) return sign + this.#pick(edges);
    const digits = this.#digits(this.#random.between(1, roll < 0.95 ? 19 : 40));
    if (roll < 0.75) return sign + digits;
    const fraction = this.#half() ? `.${this.#digits(this.#random.between(1, 22), false)}` : '';
    if (fraction !== '' && this.#half()) return sign + digits + fraction;
    const exponent = this.#upTo(this.#half() ? 25 : 260);
    return `${sign}${digits}${fraction}${this.#pick(['e', 'E', 'e+', 'e-', 'E-'])}${exponent}`;
  }

  #digits(count: number, number = true): string {
    let digits = '';
    for (let index = 0; index < count; index += 1) digits += this.#upTo(9);
    return number ? digits.replace(/^0+(?=\d)/, '') : digits;
  }

  #space(): string {
    return this.#random.next() < 0.75 ? '' : this.#pick([' ', ' ', '\n  ', '\t\r\n']);
  }

  #half(): boolean {
    return this.#random.next() < 0.5;
  }

  #upTo(max: number): number {
    return this.#random.between(0, max);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#upTo(items.length - 1)]!;
  }
}

function compact(value: Value): string {
  return value.kind === 'string' ? value.source : value.text;
}

const commonKeys: readonly string[] = [
  ...['temperature', 'humidity', 'n', 'x', 'ab', 'abc', 'volt', 'pressure', 'battery_level'],
  ...['status', 'rssi', 'abcdefgh', 'longitude_of_the_station_in_degrees'],
];

const strings: readonly string[] = [
  ...['', 'a', 'running', '12.5', 'x'.repeat(127), 'y'.repeat(128), 'é', '€uro', 'tab\there'],
  ...['"quoted"', 'back\\slash', '😀 smile', '\0', 'z'.repeat(300), 'line\nline', '\u007f\u0080'],
];

const edges: readonly string[] = [
  ...['0', '0.0', '9007199254740991', '9007199254740992', '9007199254740993'],
  ...['9007199254740993.0', '9223372036854775807', '9223372036854775808', '18446744073709551616'],
  ...['4.9e-324', '2.4703282292062327e-324', '2.4703282292062328e-324', '1.7976931348623157e308'],
  ...['2.2250738585072011e-308', '0.1', '0.30000000000000004', '1e22', '1e23', '8.5', '0e999'],
  ...['9999', '10000', '9999.9999', '0.0001', '10000.5', '1.00001', '999999999', '1000000000'],
];
