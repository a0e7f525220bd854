import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CsvRecord, readCsv } from '../../../src/cli/csv.js';

async function read(chunks: readonly Buffer[], recordBytesMax: number): Promise<CsvRecord[]> {
  async function* source(): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  const records: CsvRecord[] = [];
  for await (const batch of readCsv(source(), recordBytesMax)) records.push(...batch);
  return records;
}

/** Records as `line: field|field` or `line! problem`. */
async function check(text: string | Buffer, ...expected: string[]): Promise<void> {
  const records = await read([Buffer.from(text)], 40);
  const shown = records.map(({ line, fields, problem }) =>
    problem === undefined ? `${line}: ${fields.join('|')}` : `${line}! ${problem}`,
  );
  assert.deepEqual(shown, expected);
}

test('records and fields are found as RFC 4180 has them', async () => {
  await check('');
  await check('a', '1: a');
  await check('a,b\nc,d\n', '1: a|b', '2: c|d');
  await check('a,b\r\nc,d\r\n', '1: a|b', '2: c|d');
  await check('a,,\n,\n', '1: a||', '2: |');
  await check('\n\na\n\r\n\nb', '3: a', '6: b');
  await check('"a","b,c",""\n', '1: a|b,c|');
  await check('"say ""hi""",""""\n', '1: say "hi"|"');
  await check('"a\nb",c\r\n"d\r\n\r\ne"\nf', '1: a\nb|c', '3: d\r\n\r\ne', '6: f');
  await check(' a , "b" \n', '1! a quote stands inside a field that does not begin with one');
  await check('a\rb\n', '1: a\rb');
});

test('a byte order mark is not part of the first field', async () => {
  await check('\ufeffa,b\n', '1: a|b');
  await check('\ufeff"a\nb"\nc', '1: a\nb', '3: c');
  await check('\ufeff');
  await check('a\n\ufeffb\n', '1: a', '2: \ufeffb');
  const bytes = Buffer.from('\ufeffa\n');
  const one = await read([bytes.subarray(0, 1), bytes.subarray(1, 2), bytes.subarray(2)], 40);
  assert.deepEqual(one, [{ line: 1, fields: ['a'], problem: undefined }]);
});

test('what is wrong costs its own record', async () => {
  const stray = 'a quote stands inside a field that does not begin with one';
  await check('a"b,c\nd\n', `1! ${stray}`, '2: d');
  await check('"a"b,c\nd\n', '1! text follows a closing quote', '2: d');
  await check('"a" \nd\n', '1! text follows a closing quote', '2: d');
  await check(Buffer.from([0x61, 0xff, 0x0a, 0x62]), '1! it is not UTF-8', '2: b');
  await check('a,"b\nc', '1! a quote is not closed');
});

test('a record that is too long is passed over to the end of its line', async () => {
  const long = 'it is longer than 40 bytes';
  await check(`${'x'.repeat(40)}\nb\n`, `1: ${'x'.repeat(40)}`, '2: b');
  await check(`${'x'.repeat(41)}\nb\n`, `1! ${long}`, '2: b');
  await check(`${'x'.repeat(1000)}`, `1! ${long}`);
  // A quote that is never closed swallows lines up to the limit, and no more.
  const rows = ['a,"b', ...'123456789'.split('').map((digit) => `row ${digit}`)];
  await check(rows.join('\n'), `1! ${long}`, '8: row 7', '9: row 8', '10: row 9');
});

/** Fields that a plain writer could have written. */
const field = fc.string({
  unit: fc.constantFrom('a', 'ü', '😀', ',', '"', '\n', '\r', ' '),
  maxLength: 6,
});
const table = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 8 });

function write(rows: readonly string[][], end: string, quoteAll: boolean): string {
  const quote = (text: string): string => {
    const needed = quoteAll || text === '' || /[",\r\n]/.test(text);
    return needed ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(quote).join(',') + end).join('');
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

test('what was written is read, whatever the chunks', async () => {
  const sizes = fc.array(fc.nat(7), { maxLength: 40 });
  const end = fc.constantFrom('\n', '\r\n');
  const property = fc.asyncProperty(
    table,
    end,
    fc.boolean(),
    fc.boolean(),
    sizes,
    async (rows, lineEnd, quoteAll, mark, chunks) => {
      const text = write(rows, lineEnd, quoteAll);
      const bytes = Buffer.from(mark ? `\ufeff${text}` : text);
      const records = await read(cut(bytes, chunks), 10_000);
      assert.deepEqual(
        records.map(({ fields }) => fields),
        rows,
      );
      let line = 1;
      for (const [index, record] of records.entries()) {
        assert.equal(record.line, line);
        line += write([rows[index] ?? []], lineEnd, quoteAll).split('\n').length - 1;
      }
    },
  );
  await fc.assert(property, { numRuns: 500 });
});

test('any bytes in any chunks give the same records and never throw', async () => {
  const unit = fc.constantFrom(0x22, 0x2c, 0x0a, 0x0d, 0x61, 0xef, 0xbb, 0xbf, 0xc3, 0x00);
  const bytes = fc.array(unit, { maxLength: 120 });
  const sizes = fc.array(fc.nat(9), { maxLength: 30 });
  const property = fc.asyncProperty(bytes, sizes, async (values, chunks) => {
    const whole = Buffer.from(values);
    const once = await read([whole], 12);
    assert.deepEqual(await read(cut(whole, chunks), 12), once);
    const bytewise = [...values].map((value) => Buffer.of(value));
    assert.deepEqual(await read(bytewise, 12), once);
  });
  await fc.assert(property, { numRuns: 2000 });
});
