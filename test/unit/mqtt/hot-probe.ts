/**
 * Measures what the data path allocates and whether its objects keep one shape; run by hot.test.ts
 * with `--expose-gc --allow-natives-syntax` and a young generation so large that nothing is
 * collected on the way. Prints one line of JSON.
 */

import { silentLogger } from '../../../src/core/logger.js';
import { MessageRates } from '../../../src/device/message-rate.js';
import { Batch } from '../../../src/ingest/batch.js';
import { Connection } from '../../../src/mqtt/connection.js';
import { ConnectionState } from '../../../src/mqtt/connection-state.js';
import { Hub } from '../../../src/mqtt/hub.js';
import { mqttDefaults } from '../../../src/mqtt/options.js';
import { scan } from '../../../src/mqtt/scan.js';
import { assembleMqtt } from '../../support/mqtt.js';
import { hex, publishPacket, telemetry } from '../../support/mqtt-bytes.js';
import { MemoryWire } from '../../support/mqtt-parts.js';

const parts = assembleMqtt();
const batch = new Batch(300 * 1024);
const sink = { open: () => batch, submit: () => {}, whenRoom: () => {}, onSettled: () => {} };
const { clock, metrics, credentials, sessions } = parts;
const rates = new MessageRates(0, 0);
const hub = new Hub(clock, silentLogger, metrics, mqttDefaults, sink, credentials, sessions, rates);

/** Takes what is written and keeps nothing. */
class Drain extends MemoryWire {
  override write(): boolean {
    return true;
  }
}

function connection(version: number): Connection {
  const made = new Connection(new Drain(), hub);
  made.state = ConnectionState.connected;
  made.version = version;
  made.device = parts.device;
  return made;
}

const packetsPerRead = 800;
const payload = '{"temperature":25.31,"humidity":64.2,"n":123}';
const one = hex(publishPacket(4, '32', 7, telemetry, payload));
const bytes = Buffer.concat(Array.from({ length: packetsPerRead }, () => one));
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const client = connection(4);

/** One read: scan, settle every row, flush. */
function read(): void {
  if (scan(hub, client, bytes, view, 0, bytes.length) !== bytes.length) throw new RangeError();
  for (let row = 0; row < batch.rows; row++)
    batch.origins[row]?.settle(batch.refs[row] ?? 0, 0, -1);
  hub.acks.flushAll();
  batch.reset();
}

for (let round = 0; round < 500; round++) read();
const collect = (globalThis as { gc?: () => void }).gc;
collect?.();
const before = process.memoryUsage().heapUsed;
const reads = 1250;
for (let round = 0; round < reads; round++) read();
const bytesPerMessage = (process.memoryUsage().heapUsed - before) / (reads * packetsPerRead);

// A connection that has done everything once, beside one that has done nothing.
const used = connection(5);
used.sessionState();
used.sendInOrder(Buffer.alloc(2));
hub.acks.flushAll();
used.finish('disconnected');
used.gone();
const sameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean;
console.log(JSON.stringify({ bytesPerMessage, oneShape: sameMap(used, connection(4)) }));
