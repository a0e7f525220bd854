import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Failure } from './failure.js';

/** One HTTP request in ClickHouse's terms. */
export interface Request {
  readonly method: string;
  readonly path: string;
  /** The `query` parameter, '' without one. */
  readonly query: string;
  readonly queryId: string;
  /** Database named by the request, '' without one. */
  readonly database: string;
  /** Output format when the statement names none. */
  readonly defaultFormat: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, string>;
  /** Value of Content-Encoding, '' for identity. */
  readonly contentEncoding: string;
  readonly acceptsGzip: boolean;
  /** The whole answer must be known good before its first byte is sent. */
  readonly waitEndOfQuery: boolean;
}

export interface Account {
  readonly user: string;
  readonly password: string;
}

const badArguments = 36;
const notImplemented = 48;
const requiredPassword = 194;
const authenticationFailed = 516;

/** Parameters of the interface that are no settings of the engine. */
const interfaceNames = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'wait_end_of_query',
  'buffer_size',
  'stacktrace',
  'session_timeout',
  'session_check',
  'compress',
  'decompress',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
  'client_protocol_version',
]);

/** ClickHouse features that keep state between requests or need another wire format. */
const refusedNames = new Map([
  ['session_id', 'state between requests (session_id); turn sessions off in the client: it'],
  ['role', 'roles (role)'],
  ['param_', 'a query parameter without a name'],
]);

const settingForm = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reads everything but the body. Throws a `Failure` when the request cannot be served. */
export function readRequest(message: IncomingMessage): Request {
  const url = new URL(message.url ?? '/', 'http://localhost');
  const settings = new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    const refused = refusedNames.get(name);
    if (refused !== undefined) throw unsupported(refused);
    if ((name === 'compress' || name === 'decompress') && value !== '0' && value !== '') {
      throw unsupported(`ClickHouse's own block compression (${name}=${value}); use gzip`);
    }
    if (interfaceNames.has(name)) continue;
    const isParameter = name.startsWith('param_');
    if (!settingForm.test(name)) {
      throw new Failure(badArguments, 'BAD_ARGUMENTS', `Bad name of a setting: ${name}`);
    }
    (isParameter ? parameters : settings).set(isParameter ? name.slice(6) : name, value);
  }
  if (header(message, 'content-type').startsWith('multipart/')) {
    throw unsupported('external data (multipart/form-data)');
  }
  const get = (name: string): string => url.searchParams.get(name) ?? '';
  return {
    method: message.method ?? 'GET',
    path: url.pathname,
    query: get('query'),
    queryId: get('query_id') || header(message, 'x-clickhouse-query-id') || randomUUID(),
    database: get('database') || header(message, 'x-clickhouse-database'),
    defaultFormat:
      get('default_format') || header(message, 'x-clickhouse-format') || 'TabSeparated',
    settings,
    parameters,
    contentEncoding: header(message, 'content-encoding').trim().toLowerCase(),
    acceptsGzip:
      isOn(get('enable_http_compression')) && /\bgzip\b/.test(header(message, 'accept-encoding')),
    waitEndOfQuery: isOn(get('wait_end_of_query')),
  };
}

/** Throws a `Failure` unless the request carries the account's user and password. */
export function authenticate(message: IncomingMessage, account: Account): void {
  const url = new URL(message.url ?? '/', 'http://localhost');
  const given: Account[] = [];
  const headerUser = header(message, 'x-clickhouse-user');
  const headerKey = header(message, 'x-clickhouse-key');
  if (headerUser !== '' || headerKey !== '') given.push({ user: headerUser, password: headerKey });
  const basic = /^Basic\s+(\S+)$/i.exec(header(message, 'authorization'));
  if (basic !== null) given.push(readBasic(basic[1] ?? ''));
  const urlUser = url.searchParams.get('user') ?? '';
  const urlPassword = url.searchParams.get('password') ?? '';
  if (urlUser !== '' || urlPassword !== '') given.push({ user: urlUser, password: urlPassword });
  if (given.length > 1) {
    throw new Failure(
      badArguments,
      'BAD_ARGUMENTS',
      'Invalid authentication: use either X-ClickHouse headers, HTTP Basic, or URL parameters',
    );
  }
  const [first] = given;
  if (first === undefined) {
    throw new Failure(
      requiredPassword,
      'REQUIRED_PASSWORD',
      'Authentication is required: send user and password',
    );
  }
  // Both comparisons always run, so the time tells nothing about which of them failed.
  const userMatches = sameText(first.user || 'default', account.user);
  const passwordMatches = sameText(first.password, account.password);
  if (!userMatches || !passwordMatches) {
    throw new Failure(
      authenticationFailed,
      'AUTHENTICATION_FAILED',
      `${(first.user || 'default').slice(0, 64)}: Authentication failed: password is incorrect, ` +
        'or there is no user with such name.',
    );
  }
}

function readBasic(encoded: string): Account {
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return { user: text, password: '' };
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Compares digests, which have one length, so neither length nor content shows in the time. */
function sameText(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function header(message: IncomingMessage, name: string): string {
  const value = message.headers[name];
  return typeof value === 'string' ? value : '';
}

function isOn(value: string): boolean {
  return value === '1' || value === 'true';
}

function unsupported(what: string): Failure {
  return new Failure(
    notImplemented,
    'NOT_IMPLEMENTED',
    `${what} is not supported by the embedded ClickHouse`,
  );
}
