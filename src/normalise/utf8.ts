/**
 * @hot Length of the well-formed UTF-8 sequence of two to four bytes that begins at `at`, or 0 when
 * there is none: overlong forms, surrogates and what lies above U+10FFFF are not well-formed.
 * Source: Unicode 15, table 3-7. A byte that is not a continuation ends the look, so a terminator
 * behind the text is never passed.
 */
export function utf8Length(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const second = bytes[at + 1]!;
  if (lead < 0xe0) return second >> 6 === 2 ? 2 : 0;
  if (lead < 0xf0) {
    const lowest = lead === 0xe0 ? 0xa0 : 0x80;
    const highest = lead === 0xed ? 0x9f : 0xbf;
    if (second < lowest || second > highest) return 0;
    return bytes[at + 2]! >> 6 === 2 ? 3 : 0;
  }
  const lowest = lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  if (bytes[at + 2]! >> 6 !== 2) return 0;
  return bytes[at + 3]! >> 6 === 2 ? 4 : 0;
}

/** Writes a code point (no surrogate) as UTF-8 and returns the position behind it. */
export function writeUtf8(bytes: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    bytes[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    bytes[at] = 0xc0 | (point >> 6);
    bytes[at + 1] = 0x80 | (point & 63);
    return at + 2;
  }
  if (point < 0x1_0000) {
    bytes[at] = 0xe0 | (point >> 12);
    bytes[at + 1] = 0x80 | ((point >> 6) & 63);
    bytes[at + 2] = 0x80 | (point & 63);
    return at + 3;
  }
  bytes[at] = 0xf0 | (point >> 18);
  bytes[at + 1] = 0x80 | ((point >> 12) & 63);
  bytes[at + 2] = 0x80 | ((point >> 6) & 63);
  bytes[at + 3] = 0x80 | (point & 63);
  return at + 4;
}
