import { limits } from '../core/limits.js';
import { refuse } from './connect.js';
import type { Connection } from './connection.js';
import { ConnectionState, PauseReason } from './connection-state.js';
import type { Hub } from './hub.js';
import { ReasonCode } from './reason-codes.js';

/** One timer for all connections: every tick looks at some, eight ticks at all of them. */
export const sweepEveryMs = 100;
export const ticksPerRound = 8;
/** `since` may be as old as one tick when it is written. */
const slackMs = sweepEveryMs;

/** Not being read for one of these is not the peer's silence. */
const ourPauses = PauseReason.room | PauseReason.rate | PauseReason.carry | PauseReason.memory;

/**
 * Looks at one connection: CONNECT deadline, keep alive, a peer that does not read, a packet that
 * never completes while others wait for its room, and the end of lingering.
 */
export function inspect(hub: Hub, connection: Connection): void {
  const quiet = hub.now - connection.since - slackMs;
  if (quiet > limits.mqttPacketStallMs && blocksOthers(hub, connection)) {
    connection.disconnect(ReasonCode.quotaExceeded, 'packetStalled');
    return;
  }
  if ((connection.pauses & ourPauses) !== 0) return;
  switch (connection.state) {
    case ConnectionState.awaitingConnect:
      if (quiet <= limits.connectDeadlineMs) return;
      hub.metrics.connectionsRefused.inc({ protocol: 'mqtt', reason: 'connectDeadline' });
      connection.finish('connectDeadline');
      return;
    case ConnectionState.authenticating:
      if (quiet <= limits.connectDeadlineMs) return;
      refuse(hub, connection, ReasonCode.serverUnavailable, 'the registry does not answer');
      return;
    case ConnectionState.connected:
      inspectConnected(connection, quiet);
      return;
    case ConnectionState.closing:
      if (quiet > limits.lingerMs) connection.wire.destroy();
      return;
    case ConnectionState.closed:
      return;
  }
}

/** Half a packet occupies room that others wait for. */
function blocksOthers(hub: Hub, connection: Connection): boolean {
  return connection.carry !== undefined && hub.carryWaiters.length > 0;
}

function inspectConnected(connection: Connection, quiet: number): void {
  if ((connection.pauses & PauseReason.writes) !== 0 && quiet > limits.writeStallMs) {
    connection.finish('writeStalled');
    connection.wire.destroy();
    return;
  }
  // [MQTT-3.1.2-22]: one and a half times the keep alive without a packet.
  if (connection.keepAliveMs > 0 && quiet > connection.keepAliveMs) {
    const text = `no packet within ${connection.keepAliveMs / 1000} s`;
    connection.disconnect(ReasonCode.keepAliveTimeout, 'keepAlive', text);
  }
}
