/**
 * What the files of the journal are called. A segment's state is part of its file's name, so that a
 * change of state is one atomic rename, needs nothing of a file that may be failing, and can be
 * seen with `ls`:
 *
 *   3fa94c01-00000000042.open              being written
 *   3fa94c01-00000000042.29360128.sealed   ends at byte 29,360,128, for ever
 *   3fa94c01-00000000042.free              its content has no meaning any more
 *   3fa94c01-00000000043.new               zeros being written
 */
import { assert } from '../core/assert.js';
import { segmentDataStart } from './segment-header.js';

export type SegmentState = 'new' | 'open' | 'sealed' | 'free';

export interface SegmentFileName {
  readonly state: SegmentState;
  readonly journalId: number;
  readonly number: number;
  /** 20 ASCII characters: what rows of this segment carry, and the INSERT's token begins with. */
  readonly name: string;
  /** Where the last record ends; 0 unless sealed. */
  readonly end: number;
}

export const segmentNameBytes = 20;
const segmentNumberMax = 99_999_999_999;
export const quarantineFolder = 'quarantine';

const form = /^([0-9a-f]{8})-(\d{11})(?:\.(new|open|free)|\.(\d{1,10})\.sealed)$/;

export function segmentName(journalId: number, number: number): string {
  assert(Number.isInteger(number) && number >= 0, 'a segment number is a whole number');
  assert(number <= segmentNumberMax, 'a segment number has at most 11 digits');
  return `${journalId.toString(16).padStart(8, '0')}-${number.toString().padStart(11, '0')}`;
}

export function segmentFile(name: string, state: SegmentState, end: number): string {
  return state === 'sealed' ? `${name}.${end}.sealed` : `${name}.${state}`;
}

/** Undefined for a file that is not a segment's. */
export function parseSegmentFile(file: string): SegmentFileName | undefined {
  const match = form.exec(file);
  if (match === null) return undefined;
  const [, id = '', digits = '', state, endDigits] = match;
  const end = Number(endDigits ?? 0);
  if (state === undefined && end < segmentDataStart) return undefined;
  return {
    state: state === undefined ? 'sealed' : (state as SegmentState),
    journalId: Number.parseInt(id, 16),
    number: Number(digits),
    name: `${id}-${digits}`,
    end,
  };
}
