import { z } from 'zod';
import { limits } from '../core/limits.js';

/**
 * Every configuration key, its bounds, its default and its meaning: the one source of the type, of
 * the checks, of `schema/config.schema.json` and of the README's table.
 *
 * A key carries its unit. `writeOnly` (a word of JSON Schema) marks a secret. The text of an error
 * completes the sentence "mqtt.port is 99999: …".
 */
const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;

function integer(min: number, max: number, byDefault: number, description: string) {
  const error = `expected an integer from ${min} to ${max}`;
  return z.int({ error }).min(min, error).max(max, error).default(byDefault).meta({ description });
}

function decimal(min: number, max: number, byDefault: number, description: string) {
  const error = `expected a number from ${min} to ${max}`;
  return z
    .number({ error })
    .min(min, error)
    .max(max, error)
    .default(byDefault)
    .meta({ description });
}

function port(byDefault: number, description: string) {
  return integer(0, 65535, byDefault, `${description}; 0 takes a free one`);
}

const text = (error: string) => z.string({ error }).min(1, error);

function host(byDefault: string, description: string) {
  const error = 'expected an IP address or a host name';
  return text(error)
    .regex(/^[\w.:-]+$/, error)
    .default(byDefault)
    .meta({ description });
}

/** A name that is written into SQL between backticks. */
function identifier() {
  const error = 'expected a name of letters, digits and underscores';
  return z.string({ error }).regex(/^[A-Za-z_]\w{0,127}$/, error);
}

/** A part of the tree; it may be left out as a whole. */
function section<Shape extends z.ZodRawShape>(shape: Shape) {
  // The cast hides nothing: every field has a default or may be absent, so {} is a valid input.
  return z.strictObject(shape).prefault({} as never);
}

const serverUrl = 'expected an address such as http://localhost:8123, without user or password';

const mqtt = section({
  host: host('0.0.0.0', 'Address that MQTT listens on'),
  port: port(1883, 'TCP port of MQTT'),
  packetBytesMax: integer(
    kib,
    16 * mib,
    limits.payloadBytesMax,
    'Largest MQTT packet, in bytes; MQTT 5 clients are told',
  ),
  badPayload: z
    .enum(['ack', 'close'], { error: 'expected ack or close' })
    .default('ack')
    .meta({
      description:
        'Answer to an invalid payload where MQTT 3 has no word for it: acknowledge and keep it ' +
        'in the table `rejected`, or close the connection',
    }),
  keepAliveMaxSeconds: integer(
    0,
    65535,
    3600,
    'Longest keep alive of an MQTT 5 client, which is told; 0 grants whatever is asked',
  ),
  receiveMaximum: integer(
    1,
    65535,
    limits.receiveMaximum,
    'QoS 1 and 2 messages that an MQTT 5 client may have unacknowledged',
  ),
});

const http = section({
  host: host('0.0.0.0', 'Address that HTTP listens on'),
  port: port(8080, 'TCP port of HTTP'),
  bodyBytesMax: integer(
    kib,
    16 * mib,
    limits.payloadBytesMax,
    'Largest request body, in bytes, after decompression',
  ),
});

const metrics = section({
  host: host('127.0.0.1', 'Address of /metrics, /livez and /readyz'),
  port: port(9090, 'TCP port of /metrics, /livez and /readyz'),
});

const clickhouse = section({
  url: z
    .url({ error: serverUrl, protocol: /^https?$/ })
    .refine((url) => !/^https?:\/\/[^/]*@/.test(url), serverUrl)
    .optional()
    .meta({ description: 'HTTP address of a ClickHouse server; without it the embedded one runs' }),
  user: text('expected a user name')
    .default('default')
    .meta({ description: 'User of that ClickHouse server' }),
  password: z
    .string({ error: 'expected text; put it in quotes' })
    .optional()
    .meta({ description: 'Password of that user', writeOnly: true }),
  database: identifier()
    .default('sluice')
    .meta({ description: 'Database of the tables; created when it is missing' }),
  cluster: identifier()
    .optional()
    .meta({ description: 'Cluster for ON CLUSTER and replicated tables' }),
  caFile: text('expected a file name')
    .optional()
    .meta({ description: 'PEM file of the authority that signed the server’s certificate' }),
  ttlDays: integer(0, 36_500, 0, 'Age at which points are deleted, in days; 0 keeps them'),
  insertsInFlight: integer(1, 16, 2, 'Journal segments that are inserted at the same time'),
  embedded: section({
    port: port(8123, 'Port of the embedded ClickHouse’s HTTP interface on 127.0.0.1'),
    memoryBytesMax: integer(
      512 * mib,
      1024 * gib,
      limits.clickhouseMemoryBytesDefault,
      'Memory the embedded ClickHouse may use, in bytes',
    ),
  }),
});

const perDevice = section({
  connectionsMax: integer(
    1,
    1_000_000,
    limits.connectionsMax,
    'Open connections of MQTT, and as many of HTTP',
  ),
  sessionsPerDeviceMax: integer(
    1,
    1000,
    limits.sessionsPerDeviceMax,
    'Connections of one device; one more ends the oldest',
  ),
  deviceMessagesPerSecond: integer(
    0,
    1_000_000,
    0,
    'Messages per second that one device may send for long; 0 sets no limit',
  ),
  deviceMessagesBurst: integer(
    0,
    10_000_000,
    0,
    'Messages that one device may send at once under that limit; 0 allows one second’s worth',
  ),
});

const journal = section({
  segmentBytes: integer(
    256 * kib,
    gib,
    limits.segmentBytesDefault,
    'Size of a journal file, in bytes; one file is one INSERT',
  ),
  bytesMax: integer(
    8 * mib, // room for any one batch, whose block can have several MiB
    64 * 1024 * gib,
    limits.journalBytesMaxDefault,
    'Size of all journal files, in bytes; when they are full nothing is acknowledged',
  ),
  groupDelayMs: decimal(
    0,
    100,
    1,
    'Time that a commit waits for more messages under load, in milliseconds',
  ),
});

const normalise = section({
  threads: integer(
    0,
    64,
    0,
    'Worker threads that read payloads; 0 takes one less than there are processors, at least 1',
  ),
});

const log = section({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], {
      error: 'expected debug, info, warn, error or silent',
    })
    .default('info')
    .meta({ description: 'Least severe log line that is written' }),
});

export const configSchema = z.strictObject({
  dataDir: text('expected a directory name')
    .default('./data')
    .meta({ description: 'Directory of the journal, the registry and the embedded ClickHouse' }),
  mqtt,
  http,
  metrics,
  clickhouse,
  limits: perDevice,
  journal,
  normalise,
  drainSeconds: integer(
    0,
    3600,
    30,
    'Time to ship what the journal holds when the node is told to stop, in seconds',
  ),
  log,
});

type Immutable<T> = {
  readonly [Key in keyof T]: T[Key] extends object ? Immutable<T[Key]> : T[Key];
};

/** The whole configuration, frozen, every default filled in. */
export type Config = Immutable<z.output<typeof configSchema>>;
