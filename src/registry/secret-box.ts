import { createCipheriv, createDecipheriv, randomBytes, randomFillSync } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, NodeError } from '../core/errors.js';

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** The system's random source costs ten times more a call than a byte: nonces are drawn ahead. */
const noncesAhead = 256;
/** First byte of everything sealed: a later form can be told from this one. */
const form = 1;

/**
 * Seals secrets that must be shown again, with AES-256-GCM and a key in a file of its own: a copy
 * of the database alone shows nothing. What is sealed is bound to its look-up hash, so a sealed
 * secret moved to another row does not open.
 *
 *     ┌ 1 ┬ nonce, 12 bytes ┬ ciphertext ┬ tag, 16 bytes ┐
 *
 * Nonces are random: with 2^32 secrets under one key the odds of a repeated one are 2^-33.
 */
export class SecretBox {
  readonly #path: string;
  readonly #nonces: Buffer;
  #nonceAt: number;
  #key: Buffer | undefined;

  /** `path` is the key file, made at the first `seal`, mode 0600. */
  constructor(path: string) {
    this.#path = path;
    this.#nonces = Buffer.alloc(nonceBytes * noncesAhead);
    this.#nonceAt = this.#nonces.length;
    this.#key = undefined;
  }

  seal(secret: string, lookupHash: Uint8Array): Buffer {
    this.#key ??= readKey(this.#path) ?? makeKey(this.#path);
    const nonce = this.#nextNonce();
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(lookupHash);
    const text = cipher.update(secret, 'utf8');
    return Buffer.concat([Buffer.of(form), nonce, text, cipher.final(), cipher.getAuthTag()]);
  }

  /** Valid until the next call. Each is used once. */
  #nextNonce(): Buffer {
    if (this.#nonceAt === this.#nonces.length) {
      randomFillSync(this.#nonces);
      this.#nonceAt = 0;
    }
    const at = this.#nonceAt;
    this.#nonceAt = at + nonceBytes;
    return this.#nonces.subarray(at, at + nonceBytes);
  }

  /** Rejects what was sealed with another key or altered, with SLUICE_REGISTRY_FAILED. */
  open(sealed: Uint8Array, lookupHash: Uint8Array): string {
    this.#key ??= readKey(this.#path);
    if (this.#key === undefined) throw unreadable(this.#path, 'the key file is missing');
    if (sealed[0] !== form || sealed.length < 1 + nonceBytes + tagBytes) {
      throw unreadable(this.#path, 'it is stored in an unknown form');
    }
    const nonce = sealed.subarray(1, 1 + nonceBytes);
    const tag = sealed.subarray(sealed.length - tagBytes);
    const text = sealed.subarray(1 + nonceBytes, sealed.length - tagBytes);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, {
        authTagLength: tagBytes,
      });
      decipher.setAAD(lookupHash).setAuthTag(tag);
      return decipher.update(text, undefined, 'utf8') + decipher.final('utf8');
    } catch (error) {
      throw unreadable(this.#path, 'the key file is not the one it was sealed with', error);
    }
  }
}

function readKey(path: string): Buffer | undefined {
  let key: Buffer;
  try {
    key = readFileSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw keyFailed('read', path, messageOf(error), error);
  }
  if (key.length === keyBytes) return key;
  throw keyFailed('use', path, `it has ${key.length} bytes instead of ${keyBytes}`);
}

/**
 * Writes a new key beside its place and links it there: the file appears whole or not at all, and
 * of two processes that do this at once both use the key of the first.
 */
function makeKey(path: string): Buffer {
  const draft = `${path}.${process.pid}`;
  try {
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, randomBytes(keyBytes));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(draft, path);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    } finally {
      unlinkSync(draft);
    }
    syncFolder(dirname(path));
  } catch (error) {
    throw keyFailed('make', path, messageOf(error), error);
  }
  const key = readKey(path);
  if (key === undefined) throw keyFailed('read', path, 'it disappeared');
  return key;
}

/** A token that was sealed and stored must not outlive the name of its key in a power loss. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function keyFailed(verb: string, path: string, cause: string, error?: unknown): NodeError {
  return new NodeError(
    'SLUICE_REGISTRY_FAILED',
    `cannot ${verb} the key ${path}: ${cause}`,
    'Check the rights of the data directory, or put the key back from a backup.',
    error,
  );
}

function unreadable(path: string, cause: string, error?: unknown): NodeError {
  return new NodeError(
    'SLUICE_REGISTRY_FAILED',
    `cannot show the token: ${cause}`,
    `Put ${path} back from a backup, or rotate the token; devices can still log in with it.`,
    error,
  );
}
