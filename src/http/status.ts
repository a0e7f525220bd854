import { isRejection, Outcome, outcomeReason } from '../core/outcome.js';

/**
 * Which HTTP status means what; the one place that maps an `Outcome` to HTTP.
 *
 * | status | meaning for a device |
 * |---|---|
 * | 200 | checked and durable |
 * | 400 | the request is at fault, as `message` says; sending it again cannot help |
 * | 401 | the access token is unknown or its device disabled; no body, as clients expect |
 * | 404, 405 | no such path; the path has other methods, see `Allow` |
 * | 408 | the body took too long |
 * | 413 | the body is larger than allowed, as received or expanded |
 * | 429 | the device sends more than it may; see `Retry-After` |
 * | 503 | nothing was stored; send it again after `Retry-After` seconds |
 */
export interface Answer {
  readonly code: number;
  /** Code and reason phrase, as the status line has them. */
  readonly status: string;
  /** The response body; empty for none. */
  readonly body: string;
  /** Seconds for `Retry-After`; 0 leaves the header out. */
  readonly retryAfterSeconds: number;
  /** Methods for `Allow`; empty leaves the header out. */
  readonly allow: string;
  /** The connection must end: what follows on it cannot be trusted, or must not be read. */
  readonly closes: boolean;
}

const retryAfterSeconds = 1;
/** A journal that cannot write comes back when somebody has made room, not within a second. */
const retryAfterFailureSeconds = 5;

export const answers = Object.freeze({
  ok: plain(200, '200 OK', ''),
  unauthorized: plain(401, '401 Unauthorized', ''),
  notFound: plain(404, '404 Not Found', 'no such path'),
  bodyTimeout: closing(408, '408 Request Timeout', 'the body did not arrive in time'),
  bodyMissing: badRequest('a body is required: Content-Length or Transfer-Encoding is missing'),
  encodingUnknown: badRequest('Content-Encoding must be gzip or absent'),
  gzipMalformed: plain(400, '400 Bad Request', 'malformed gzip body'),
  overload: unavailable('overloaded', retryAfterSeconds, false),
  registryUnavailable: unavailable('the device registry does not answer', retryAfterSeconds, false),
  stopping: unavailable('the node is stopping', retryAfterSeconds, true),
});

/** What the device hears of a message that was settled. */
export function answerOf(outcome: number, offset: number): Answer {
  if (outcome === Outcome.accepted) return answers.ok;
  if (isRejection(outcome)) return plain(400, '400 Bad Request', outcomeReason(outcome, offset));
  if (outcome === Outcome.shuttingDown) return answers.stopping;
  const wait = outcome === Outcome.overload ? retryAfterSeconds : retryAfterFailureSeconds;
  return unavailable(outcomeReason(outcome, -1), wait, false);
}

/** A request whose bytes are at fault; its connection ends, because its end is in doubt. */
export function badRequest(message: string): Answer {
  return closing(400, '400 Bad Request', message);
}

export function bodyTooLarge(bytesMax: number): Answer {
  return closing(413, '413 Payload Too Large', `the body is larger than ${bytesMax} bytes`);
}

export function expandedTooLarge(bytesMax: number, ratioMax: number): Answer {
  const most = `${bytesMax} bytes or ${ratioMax} times its size`;
  return plain(413, '413 Payload Too Large', `the gzip body expands to more than ${most}`);
}

export function methodNotAllowed(allow: string): Answer {
  return { ...plain(405, '405 Method Not Allowed', `allowed: ${allow}`), allow };
}

/** The answer to OPTIONS. */
export function methodsAllowed(allow: string): Answer {
  return { ...answers.ok, allow };
}

export function rateLimited(waitMs: number): Answer {
  const answer = plain(429, '429 Too Many Requests', 'the device sends more than it may');
  return { ...answer, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) };
}

function unavailable(message: string, retryAfter: number, closes: boolean): Answer {
  const answer = plain(503, '503 Service Unavailable', message);
  return { ...answer, retryAfterSeconds: retryAfter, closes };
}

function closing(code: number, status: string, message: string): Answer {
  return { ...plain(code, status, message), closes: true };
}

function plain(code: number, status: string, message: string): Answer {
  const body = message === '' ? '' : JSON.stringify({ status: code, message });
  return { code, status, body, retryAfterSeconds: 0, allow: '', closes: false };
}
