import { deviceIdOfWords } from '../core/ids.js';
import type { BatchView } from './batch-layout.js';
import type { KeyDictionary } from './key-dictionary.js';
import { afterText, isText, type Points, textStart } from './points.js';
import { type AttributeRecord, type AttributeValue, ValueType } from './result.js';

/**
 * Makes the attribute record of message `row` out of the points from `from` on, whose texts begin
 * at `textFrom`; undefined when there are none. Attributes are rare, so objects are fine here.
 */
export function attributeRecord(
  batch: BatchView,
  row: number,
  points: Points,
  keys: KeyDictionary,
  from: number,
  textFrom: number,
): AttributeRecord | undefined {
  if (points.count === from) return undefined;
  const values: [string, ValueType, AttributeValue][] = [];
  let textAt = textFrom;
  for (let point = from; point < points.count; point += 1) {
    const handle = keys.used[points.entryOf(point)]!;
    const keyAt = keys.textStart(handle);
    const key = utf8(keys.texts, keyAt, keyAt + keys.textLength(handle));
    const type = points.type[point]! as ValueType;
    const textNext = isText(type) ? afterText(points.text, textAt) : textAt;
    values.push([key, type, attributeValue(points, point, type, textAt, textNext)]);
    textAt = textNext;
  }
  return [deviceIdOfWords(batch.device, row * 4), batch.receivedAt[row]!, values];
}

function attributeValue(
  points: Points,
  point: number,
  type: ValueType,
  textAt: number,
  textNext: number,
): AttributeValue {
  const num = points.num[point]!;
  if (type === ValueType.bool) return num === 1;
  if (type === ValueType.double) return num;
  if (type === ValueType.long) {
    const low = points.long[point * 2]!;
    const high = points.long[point * 2 + 1]!;
    if (low === 0 && high === 0) return BigInt(num);
    return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  }
  return utf8(points.text, textStart(points.text, textAt), textNext);
}

function utf8(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
}
