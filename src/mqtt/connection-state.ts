/**
 *     awaitingConnect ──CONNECT──► authenticating ──CONNACK 0──► connected ──► closing ──► closed
 *            └────────────────── refused, malformed, too late ─────────────────►┘
 */
export const ConnectionState = {
  awaitingConnect: 0,
  authenticating: 1,
  connected: 2,
  /** The last packet is written; the socket waits until the peer has read it. */
  closing: 3,
  closed: 4,
} as const;
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState];

/** Why a socket is not read, as bits: reading goes on when none is left. */
export const PauseReason = {
  /** Every batch is busy. */
  room: 1,
  /** The peer does not read what we write. */
  writes: 2,
  /** The device is over its message rate. */
  rate: 4,
  /** The access token is being looked up. */
  credentials: 8,
  /** Too many bytes of incomplete packets are held, over all connections. */
  carry: 16,
  /** Too many unprocessed bytes are held, over all connections. */
  memory: 32,
  /** The node is stopping. */
  stopping: 64,
} as const;
export type PauseReason = (typeof PauseReason)[keyof typeof PauseReason];
