import type { DeviceId } from '../core/ids.js';
import type { AttributeRecord, AttributeValue, ValueType } from '../normalise/result.js';
import type { ChangedDevice } from './changed-device.js';
import type { DeviceFields } from './device.js';
import type { DeviceImport, ImportOptions } from './device-import.js';
import type { Profile, ProfileDraft, ProfileId } from './profile.js';

/**
 * Devices, profiles, credentials and attributes: what every store of them can do, whatever database
 * is below. Nothing here is on the path of a message; the credential cache stands before it.
 *
 * Every method rejects with a `NodeError`: SLUICE_REGISTRY_FAILED when the store cannot be read or
 * written, SLUICE_ARGUMENT_INVALID for a value that is not allowed, and what the method says.
 * A change is durable when its promise resolves. All times are milliseconds since 1970.
 */
export interface Registry {
  // ── devices ─────────────────────────────────────────────────────────────────────────────────
  /** Rejects with SLUICE_DEVICE_EXISTS, SLUICE_TOKEN_TAKEN or SLUICE_PROFILE_UNKNOWN. */
  createDevice(draft: DeviceDraft): Promise<CreatedDevice>;
  findDevice(id: DeviceId): Promise<DeviceRecord | undefined>;
  findDeviceByName(name: string): Promise<DeviceRecord | undefined>;
  /** Those of `ids` that exist, in no particular order. At most 1,000 ids. */
  findDevices(ids: readonly DeviceId[]): Promise<DeviceRecord[]>;
  /** One page in the order of names (by code point). */
  listDevices(query: DeviceQuery): Promise<DeviceRecord[]>;
  countDevices(filter?: DeviceFilter): Promise<number>;
  /** Rejects with SLUICE_DEVICE_UNKNOWN, SLUICE_DEVICE_EXISTS or SLUICE_PROFILE_UNKNOWN. */
  updateDevice(id: DeviceId, patch: DevicePatch): Promise<DeviceRecord>;
  /** Also removes its credentials and attributes. False when there is no such device. */
  deleteDevice(id: DeviceId): Promise<boolean>;
  /** Many devices at once, a transaction per call of `add`. */
  importDevices(options: ImportOptions): DeviceImport;

  // ── profiles ────────────────────────────────────────────────────────────────────────────────
  /** Rejects with SLUICE_PROFILE_EXISTS. */
  createProfile(draft: ProfileDraft): Promise<Profile>;
  findProfileByName(name: string): Promise<Profile | undefined>;
  /** All of them (at most `limits.profilesMax`), in the order of names. */
  listProfiles(): Promise<Profile[]>;
  /** Rejects with SLUICE_PROFILE_UNKNOWN or SLUICE_PROFILE_EXISTS. */
  updateProfile(id: ProfileId, patch: Partial<ProfileDraft>): Promise<Profile>;
  /** Rejects with SLUICE_PROFILE_UNKNOWN or, while devices have it, SLUICE_PROFILE_IN_USE. */
  deleteProfile(id: ProfileId): Promise<void>;

  // ── credentials ─────────────────────────────────────────────────────────────────────────────
  /** The active, unexpired credential of this look-up hash (32 bytes, see token.ts). */
  findCredential(lookupHash: Uint8Array): Promise<CredentialMatch | undefined>;
  /** Without secrets, oldest first. */
  listCredentials(device: DeviceId): Promise<Credential[]>;
  /** The newest access token in clear; undefined when the device has none. */
  readToken(device: DeviceId): Promise<AccessToken | undefined>;
  /** One more access token beside those it has. Rejects as `createDevice` and for too many. */
  addToken(device: DeviceId, token: TokenDraft): Promise<AccessToken>;
  /** A new token; those before end after `graceMs` (0: at once). */
  rotateToken(device: DeviceId, token: string | undefined, graceMs: number): Promise<RotatedToken>;
  /** False when the device has no such credential. */
  removeCredential(device: DeviceId, credential: CredentialId): Promise<boolean>;

  // ── attributes ──────────────────────────────────────────────────────────────────────────────
  /**
   * Stores client attributes in one transaction. A value replaces one that is not newer, so that
   * applying the same records again, in the same order, ends in the same state.
   */
  applyAttributes(records: readonly AttributeRecord[]): Promise<AttributeSummary>;
  /** All of a scope, or those of `keys` that exist; in the order of keys. */
  readAttributes(
    device: DeviceId,
    scope: AttributeScope,
    keys?: readonly string[],
  ): Promise<Attribute[]>;

  // ── changes ─────────────────────────────────────────────────────────────────────────────────
  /** The sequence number of the latest change, 0 before the first. */
  lastChange(): Promise<number>;
  /** What changed after `sinceSeq`, in order, at most `limit`. */
  changes(sinceSeq: number, limit: number): Promise<ChangePage>;
  /** Devices whose latest change came after `sinceSeq`, in that order, deleted ones included. */
  changedDevices(sinceSeq: number, limit: number): Promise<ChangedDevice[]>;
  /**
   * Calls `listener` soon after anything may have changed, by this process (at once) or another
   * (within 0.5 s). While somebody watches, expired credentials are removed, which is a change too.
   * Returns the function that ends it.
   */
  watch(listener: () => void): () => void;

  close(): Promise<void>;
}

/** A device with what only management needs. */
export interface DeviceRecord extends DeviceFields {
  readonly createdAt: number;
  /** The sequence number of its latest change: grows with each, over all devices. */
  readonly version: number;
}

export interface DeviceDraft {
  readonly name: string;
  /** Generated when absent. */
  readonly token?: string | undefined;
  /** Name of an existing profile; absent: `default`. */
  readonly profile?: string | undefined;
  readonly label?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly gateway?: boolean | undefined;
}

export interface CreatedDevice {
  readonly device: DeviceRecord;
  readonly token: string;
}

/** What is to change; an absent field stays. */
export type DevicePatch = Partial<Omit<DeviceDraft, 'token'>>;

export interface DeviceFilter {
  /** Part of the name or label; ASCII letters match in either case. */
  readonly search?: string | undefined;
  /** Name of a profile. */
  readonly profile?: string | undefined;
}

export interface DeviceQuery extends DeviceFilter {
  readonly limit: number;
  /** The last name of the page before: cheap at any depth. */
  readonly after?: string | undefined;
  /** Devices to skip, for callers that count pages; costs as much as reading them. */
  readonly offset?: number | undefined;
}

export type CredentialId = number & { readonly brand: 'CredentialId' };
export type CredentialKind = 'access_token';

export interface Credential {
  readonly id: CredentialId;
  readonly kind: CredentialKind;
  readonly createdAt: number;
  /** Not valid from this time on; undefined: for ever. */
  readonly notAfter: number | undefined;
}

export interface CredentialMatch extends Credential {
  readonly device: DeviceRecord;
}

export interface TokenDraft {
  readonly token?: string | undefined;
  readonly notAfter?: number | undefined;
}

export interface AccessToken extends Credential {
  readonly token: string;
}

export interface RotatedToken extends AccessToken {
  /** When the tokens before it end at the latest. */
  readonly previousUntil: number;
}

export type AttributeScope = 'client' | 'shared' | 'server';

export interface Attribute {
  readonly key: string;
  readonly type: ValueType;
  /** boolean, bigint (long), number (double) or string (string, json text); exact. */
  readonly value: AttributeValue;
  /** Arrival of the value. */
  readonly ts: number;
  /** 1 when first stored, one more with each change. */
  readonly version: number;
}

export interface AttributeSummary {
  /** Values written; older ones than stored are not. */
  readonly written: number;
  /** Values of devices that do not exist (any more), or that no store can hold; not written. */
  readonly skipped: number;
}

/** One change. `id` is a profile's for the entity `profile`, else a device's. */
export type Change =
  | {
      readonly entity: 'device';
      readonly kind: 'created' | 'updated' | 'deleted';
      readonly id: DeviceId;
      readonly seq: number;
    }
  | {
      readonly entity: 'credential';
      readonly kind: 'added' | 'removed';
      readonly id: DeviceId;
      readonly seq: number;
    }
  | {
      readonly entity: 'profile';
      readonly kind: 'created' | 'updated' | 'deleted';
      readonly id: ProfileId;
      readonly seq: number;
    };

export interface ChangePage {
  readonly changes: readonly Change[];
  /** True when changes after `sinceSeq` are no longer known: the reader must assume everything. */
  readonly gap: boolean;
}
