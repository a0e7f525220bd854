import { TextDecoder } from 'node:util';

/**
 * Reads CSV (RFC 4180: quoted fields, doubled quotes, line breaks inside quotes; LF or CRLF; a byte
 * order mark) from a stream, with no more than one record in memory besides the chunk at hand.
 */
export interface CsvRecord {
  /** Line of the file on which the record begins, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
  /** Why the record cannot be used; then `fields` is empty. */
  readonly problem: string | undefined;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const comma = 0x2c;
const quote = 0x22;
const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf);

/** Yields the records of each chunk; blank lines are none. `recordBytesMax` bounds one record. */
export async function* readCsv(
  source: AsyncIterable<Uint8Array>,
  recordBytesMax: number,
): AsyncGenerator<CsvRecord[]> {
  const splitter = new RecordSplitter(recordBytesMax);
  for await (const chunk of source) yield splitter.push(chunk);
  yield splitter.end();
}

/** Where the splitter is inside a record. */
const Place = { fieldStart: 0, plain: 1, quoted: 2, quoteInQuoted: 3 } as const;
type Place = (typeof Place)[keyof typeof Place];

/**
 * Finds where records end. A quote opens only at the start of a field, so that a stray one costs
 * its own record; an opening quote that is never closed costs `recordBytesMax` and what is left of
 * that line. Invariant: carry ≤ recordBytesMax + the length of a byte order mark.
 */
class RecordSplitter {
  readonly #recordBytesMax: number;
  readonly #decoder: TextDecoder;
  /** The record that the last chunk ended in. */
  #carry: Buffer;
  #line: number;
  #started: boolean;
  /** True while the rest of a record that was too long is passed over. */
  #skipping: boolean;

  constructor(recordBytesMax: number) {
    this.#recordBytesMax = recordBytesMax;
    this.#decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    this.#carry = Buffer.alloc(0);
    this.#line = 1;
    this.#started = false;
    this.#skipping = false;
  }

  push(chunk: Uint8Array): CsvRecord[] {
    const bytes =
      this.#carry.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#carry, chunk]);
    if (!this.#started && bytes.length < byteOrderMark.length) {
      this.#carry = bytes;
      return [];
    }
    return this.#split(bytes);
  }

  end(): CsvRecord[] {
    const records = this.#split(this.#carry);
    const rest = this.#carry;
    if (rest.length === 0 || this.#skipping) return records;
    this.#carry = Buffer.alloc(0);
    return [...records, this.#record(this.#line, rest)];
  }

  #split(bytes: Buffer): CsvRecord[] {
    const records: CsvRecord[] = [];
    let start = 0;
    if (!this.#started) {
      this.#started = true;
      if (bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark)) start = 3;
    }
    let place: Place = Place.fieldStart;
    let lines = 0;
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === lineFeed) lines += 1;
      const ends = byte === lineFeed && place !== Place.quoted;
      if (!this.#skipping && !ends && at - start >= this.#recordBytesMax) {
        records.push(refusal(this.#line, `it is longer than ${this.#recordBytesMax} bytes`));
        this.#skipping = true;
      }
      if (this.#skipping || ends) {
        if (byte !== lineFeed) continue;
        const end = bytes[at - 1] === carriageReturn && at > start ? at - 1 : at;
        if (!this.#skipping && end > start) {
          records.push(this.#record(this.#line, bytes.subarray(start, end)));
        }
        this.#skipping = false;
        this.#line += lines;
        lines = 0;
        start = at + 1;
        place = Place.fieldStart;
        continue;
      }
      place = placeAfter(place, byte);
    }
    this.#carry = this.#skipping ? Buffer.alloc(0) : bytes.subarray(start);
    // Line breaks inside the carried record are counted again with it.
    if (this.#skipping) this.#line += lines;
    return records;
  }

  #record(line: number, bytes: Buffer): CsvRecord {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      return refusal(line, 'it is not UTF-8');
    }
    const fields = fieldsOf(text);
    return typeof fields === 'string'
      ? refusal(line, fields)
      : { line, fields, problem: undefined };
  }
}

function placeAfter(place: Place, byte: number | undefined): Place {
  switch (place) {
    case Place.quoted:
      return byte === quote ? Place.quoteInQuoted : Place.quoted;
    case Place.quoteInQuoted:
      if (byte === quote) return Place.quoted;
      return byte === comma ? Place.fieldStart : Place.plain;
    case Place.fieldStart:
      if (byte === quote) return Place.quoted;
      return byte === comma ? Place.fieldStart : Place.plain;
    default:
      return byte === comma ? Place.fieldStart : Place.plain;
  }
}

/** The fields of one record, or what is wrong with it. */
function fieldsOf(text: string): string[] | string {
  if (!text.includes('"')) return text.split(',');
  const fields: string[] = [];
  for (let at = 0; at <= text.length; at += 1) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? text.length : comma);
      if (field.includes('"')) return 'a quote stands inside a field that does not begin with one';
      fields.push(field);
      at += field.length;
      continue;
    }
    let end = at;
    do end = text.indexOf('"', end + (end === at ? 1 : 2));
    while (end >= 0 && text[end + 1] === '"');
    if (end < 0) return 'a quote is not closed';
    fields.push(text.slice(at + 1, end).replaceAll('""', '"'));
    at = end + 1;
    if (at < text.length && text[at] !== ',') return 'text follows a closing quote';
  }
  return fields;
}

function refusal(line: number, problem: string): CsvRecord {
  return { line, fields: [], problem };
}
