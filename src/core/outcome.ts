/**
 * What became of one message: a small integer that travels from the worker to the protocol.
 *
 * The table is closed: a protocol maps every value in exactly one file, and the table `rejected`
 * prints the `reason` text. Zero is the only success.
 */
export const Outcome = {
  /** Checked, typed and synced to the journal. */
  accepted: 0,

  // The payload is not what the data model allows (4.00, 400, 0x99).
  jsonSyntax: 1,
  jsonDepth: 2,
  utf8Invalid: 3,
  shapeInvalid: 4,
  timestampInvalid: 5,
  timestampOutOfRange: 6,
  timestampInFuture: 7,
  keyInvalid: 8,
  keysTooMany: 9,
  pointsTooMany: 10,
  numberOverflow: 11,
  msgpackInvalid: 12,
  payloadEmpty: 13,

  // The message is not for us, whatever its payload.
  topicUnknown: 32,
  notAGateway: 33,

  // Not the message's fault: nothing was stored, the device may send it again.
  journalUnavailable: 64,
  overload: 65,
  shuttingDown: 66,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

const reasons: Readonly<Record<Outcome, string>> = Object.freeze({
  [Outcome.accepted]: 'accepted',
  [Outcome.jsonSyntax]: 'malformed JSON',
  [Outcome.jsonDepth]: 'JSON nested deeper than 64 levels',
  [Outcome.utf8Invalid]: 'invalid UTF-8',
  [Outcome.shapeInvalid]: 'wrong shape: expected an object of key-value pairs or an array of them',
  [Outcome.timestampInvalid]: 'ts is not an integer number of milliseconds',
  [Outcome.timestampOutOfRange]: 'ts is outside the years 1970 to 2262',
  [Outcome.timestampInFuture]: 'ts is in the future and the profile refuses that',
  [Outcome.keyInvalid]: 'a key must have 1 to 255 characters and no control characters',
  [Outcome.keysTooMany]: 'more than 1,000 keys in one object',
  [Outcome.pointsTooMany]: 'more than 10,000 points in one message',
  [Outcome.numberOverflow]: 'a number does not fit a 64-bit float',
  [Outcome.msgpackInvalid]: 'malformed MessagePack',
  [Outcome.payloadEmpty]: 'empty payload',
  [Outcome.topicUnknown]: 'unknown topic',
  [Outcome.notAGateway]: 'the device is not a gateway',
  [Outcome.journalUnavailable]: 'the journal cannot write',
  [Outcome.overload]: 'overloaded',
  [Outcome.shuttingDown]: 'the node is stopping',
});

/** The stable label of an outcome for metrics, e.g. `jsonSyntax`. */
export const outcomeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Outcome).map(([name, code]) => [code, name]),
);

/** The sentence for a device or an operator; `offset` (bytes into the payload) is named if ≥ 0. */
export function outcomeReason(outcome: number, offset: number): string {
  const reason = reasons[outcome as Outcome] ?? `outcome ${outcome}`;
  return offset >= 0 ? `${reason} at byte ${offset}` : reason;
}

/** True when the message itself is at fault, so sending it again cannot help. */
export function isRejection(outcome: number): boolean {
  return outcome !== Outcome.accepted && outcome < Outcome.journalUnavailable;
}
