import { createHash, randomBytes } from 'node:crypto';
import { NodeError } from '../core/errors.js';
import { limits } from '../core/limits.js';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const tokenCharacters = 20;
/** The largest multiple of 62 in a byte: above it a remainder would favour the first letters. */
const fairBelow = 248;
const unusable = /[\p{Cc}\p{Cs}]/u;

/** A new access token: 20 characters of 62, 119 bits from the system's random source. */
export function generateToken(): string {
  let token = '';
  while (token.length < tokenCharacters) {
    for (const byte of randomBytes(tokenCharacters * 2)) {
      if (byte < fairBelow && token.length < tokenCharacters) token += alphabet[byte % 62];
    }
  }
  return token;
}

/** Returns a token that somebody chose as it is, or says what is wrong with it. */
export function parseToken(text: string): string {
  const reason = tokenProblem(text);
  if (reason === undefined) return text;
  throw new NodeError(
    'SLUICE_ARGUMENT_INVALID',
    `cannot use the access token: ${reason}`,
    'Give another token, or none to have one generated.',
  );
}

function tokenProblem(text: string): string | undefined {
  if (text.length === 0) return 'it is empty';
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.tokenBytesMax) {
    return `it has ${bytes} bytes, at most ${limits.tokenBytesMax} are allowed`;
  }
  return unusable.test(text) ? 'it contains control characters' : undefined;
}

/**
 * What a token is looked up by: SHA-256 of its UTF-8 bytes. The database compares hashes only, and
 * how many leading bytes of a hash agree tells a guesser nothing about the token that has it.
 */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
