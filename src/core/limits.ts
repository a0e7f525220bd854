/**
 * Every maximum of the node, each with its reason. Sizes in bytes, times in milliseconds, unless
 * the name says otherwise. What an operator may change is in the configuration and defaults to
 * these values; what is here only is part of the memory bound of the README.
 */
const kib = 1024;
const mib = 1024 * kib;

export const limits = Object.freeze({
  // ── messages ────────────────────────────────────────────────────────────────────────────────
  /** Default of `mqtt.packetBytesMax` and `http.bodyBytesMax`: four times ThingsBoard's 64 KiB. */
  payloadBytesMax: 256 * kib,
  keyBytesMax: 1020, // 255 characters of at most 4 bytes
  keyCharactersMax: 255,
  jsonDepthMax: 64,
  keysPerObjectMax: 1000,
  pointsPerMessageMax: 10_000,
  topicBytesMax: 1024,

  // ── batches: main thread → worker → journal ─────────────────────────────────────────────────
  /** Stays in the processor's cache; larger arenas measured slower. */
  batchArenaBytes: 256 * kib,
  batchMessagesMax: 4096,
  /** 1 open + 2 with workers + 2 in the journal + 1 to hand over; memory = this × ~0.5 MiB in. */
  batchesMax: 8,
  /** Points one batch can hold: 256 KiB of `"a":1,` are 43,691. */
  batchPointsMax: 64 * kib,

  // ── rejected messages kept for the operator ─────────────────────────────────────────────────
  rejectedPayloadBytesMax: 1 * kib,
  rejectedPerDevicePerMinuteMax: 60,
  rejectedDevicesTrackedMax: 10_000,

  // ── journal ─────────────────────────────────────────────────────────────────────────────────
  segmentRowsMax: 1_000_000, // below ClickHouse's block split at 1,048,449 rows
  segmentBytesDefault: 32 * mib,
  journalBytesMaxDefault: 8 * 1024 * mib,
  diskReserveFraction: 0.05,
  freeSegmentsMax: 3,
  commitBytesMax: 8 * mib,

  // ── connections ─────────────────────────────────────────────────────────────────────────────
  connectionsMax: 100_000,
  /** Before CONNECT is complete a peer is nobody: this much may be held for it. */
  unauthenticatedBytesMax: 8 * kib,
  connectDeadlineMs: 10_000,
  packetsBeforeConnackMax: 100,
  bytesBeforeConnackMax: 1 * mib,
  sessionsPerDeviceMax: 8,
  subscriptionsPerSessionMax: 16,
  topicAliasesMax: 16,
  topicLevelsMax: 8,
  userPropertiesMax: 32,
  receiveMaximum: 100,
  /** QoS 2 packet identifiers between PUBREC and PUBREL, per session. */
  inflightQos2Max: 100,
  readBufferBytes: 64 * kib,
  /** Bytes queued to one slow reader before its socket is no longer read. */
  writeBufferBytesMax: 256 * kib,

  // ── HTTP ────────────────────────────────────────────────────────────────────────────────────
  httpBodiesOpenBytesMax: 64 * mib,
  gzipRatioMax: 50,

  // ── credentials ─────────────────────────────────────────────────────────────────────────────
  credentialCacheEntriesMax: 200_000,
  credentialNegativeEntriesMax: 50_000,
  credentialNegativeMs: 5_000,
});
