import { NormaliseFlag } from '../normalise/batch-layout.js';

/** A profile's UUID in its usual text form, lower case. */
export type ProfileId = string & { readonly brand: 'ProfileId' };

/** What happens to a timestamp of the device that lies in the future. */
export type TsPolicy = 'accept' | 'reject-future' | 'clamp';
export const tsPolicies: readonly TsPolicy[] = Object.freeze(['accept', 'reject-future', 'clamp']);

/** The profile of every device that names none; it can be neither renamed nor deleted. */
export const defaultProfileName = 'default';

/** What devices of one kind have in common. */
export interface Profile {
  readonly id: ProfileId;
  readonly name: string;
  /** Strings that look like numbers become numbers, as ThingsBoard does. */
  readonly castNumericStrings: boolean;
  readonly tsPolicy: TsPolicy;
  /** Settings of later features, by name; kept as they are. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What a caller states about a new profile; the rest has defaults. */
export interface ProfileDraft {
  readonly name: string;
  readonly castNumericStrings?: boolean | undefined;
  readonly tsPolicy?: TsPolicy | undefined;
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

/** The bits of `NormaliseFlag` that a batch row carries for a device of this profile. */
export function normaliseFlagsOf(castNumericStrings: boolean, tsPolicy: TsPolicy): number {
  let flags = castNumericStrings ? NormaliseFlag.castNumericStrings : 0;
  if (tsPolicy === 'reject-future') flags |= NormaliseFlag.rejectFutureTimestamps;
  if (tsPolicy === 'clamp') flags |= NormaliseFlag.clampTimestamps;
  return flags;
}
