import { Protocol } from '../normalise/batch-layout.js';
import type { Device } from '../registry/device.js';
import type { Connection } from './connection.js';
import type { Hub } from './hub.js';
import type { CloseReason } from './reason-codes.js';
import type { Will } from './session-state.js';

/** Ends after which the will stays unpublished; a normal DISCONNECT has removed it before. */
const unpublished: ReadonlySet<CloseReason> = new Set<CloseReason>([
  // There never was a session.
  'refused',
  // Deferred until the restart, as 5.0 §3.1.2.5 allows: a node that stops must not make a thousand
  // devices say that they are offline.
  'shutdown',
  // The device may not send any more, not even this.
  'credentialsChanged',
  'deviceDisabled',
  'deviceDeleted',
]);

/** What a will that waits for room costs besides its bytes. */
const waitingBytes = 512;

/**
 * Publishes the will of a session that ended, as if the device had sent it: at QoS 0, since nobody
 * is there to get an answer. The Will Delay Interval is not waited for: the session ends with its
 * connection (Session Expiry Interval 0), and a will is due at the latest then [MQTT-3.1.3-9].
 */
export function publishWill(hub: Hub, connection: Connection, reason: CloseReason): void {
  const will = connection.session?.will;
  const device = connection.device;
  if (will === undefined || device === undefined || unpublished.has(reason)) return;
  if (add(hub, device, will)) return;
  const bytes = waitingBytes + will.payload.length;
  if (!hub.heldBudget.tryTake(bytes)) {
    hub.metrics.willsDropped.inc();
    hub.logger.limited('mqtt_will_dropped', { device: device.name });
    return;
  }
  const attempt = (): void => {
    if (add(hub, device, will)) hub.heldBudget.release(bytes);
    else hub.batcher.whenRoom(attempt);
  };
  hub.batcher.whenRoom(attempt);
}

/** False when no batch has room. */
function add(hub: Hub, device: Device, will: Will): boolean {
  const topic = Buffer.from(will.topic, 'utf8');
  const payload = will.payload;
  const batch = hub.batcher.open(topic.length + payload.length);
  if (batch === undefined) return false;
  const topicStart = batch.copyIn(topic, 0, topic.length);
  const start = batch.copyIn(payload, 0, payload.length);
  batch.addRow(
    device,
    will.messageKind,
    Protocol.mqtt,
    hub.clock.now(),
    start,
    payload.length,
    topicStart,
    topic.length,
    undefined,
    0,
  );
  hub.counts.add(0, will.messageKind);
  hub.batcher.submit();
  return true;
}
