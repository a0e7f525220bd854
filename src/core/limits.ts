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
  /** How far a device's clock may be ahead before `tsPolicy` calls its time the future. */
  timestampToleranceMs: 60_000,
  topicBytesMax: 1024,

  // ── batches: main thread → worker → journal ─────────────────────────────────────────────────
  /** Stays in the processor's cache; larger arenas measured slower. */
  batchArenaBytes: 256 * kib,
  batchMessagesMax: 4096,
  /** A batch of this size is worth a worker's wake-up and a sync without waiting for more. */
  batchEagerBytes: 32 * kib,
  /** 1 open + 2 with workers + 2 in the journal + 1 to hand over; memory = this × ~0.5 MiB in. */
  batchesMax: 8,

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
  /** One commit; what is more waits for the next, so that one sync stays below some 10 ms. */
  commitBytesMax: 8 * mib,
  /** Two vectors a record: below the 1,024 that one system call takes. */
  commitRecordsMax: 500,
  /** All that waits for a sync: `batchesMax` batches of at most 4 MiB of blocks, twice. */
  journalQueueBytesMax: 64 * mib,
  /** While the shipper waits: a segment closes this long after its last and its first append. */
  segmentQuietMs: 250,
  segmentBusyMs: 1_000,
  /** Between attempts to write again after a failure: doubled from the first to the second. */
  journalRetryMsMin: 100,
  journalRetryMsMax: 5_000,
  /** Renames and removals that failed and are tried again; above it no new file is begun. */
  journalChoresMax: 1_000,
  /** Copies of damaged bytes kept for the operator; above it only their description is kept. */
  quarantineBytesMax: 256 * mib,
  quarantineFilesMax: 10_000,

  // ── connections ─────────────────────────────────────────────────────────────────────────────
  connectionsMax: 100_000,
  /** Before CONNECT is complete a peer is nobody: this much may be held for it. */
  unauthenticatedBytesMax: 8 * kib,
  connectDeadlineMs: 10_000,
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
  /** A peer that takes nothing of what is queued to it for this long is closed. */
  writeStallMs: 60_000,
  /** After the last packet the socket lives this long, so that the peer can read it. */
  lingerMs: 2_000,
  listenBacklog: 4096,
  /** Silence after which the system probes a client that asked for no keep alive. */
  tcpKeepAliveMs: 60_000,

  // ── MQTT ────────────────────────────────────────────────────────────────────────────────────
  clientIdentifierBytesMax: 1024,
  /** Packets cut by a read boundary, at their declared size: 256 of the largest size at once. */
  mqttCarryBytesMax: 64 * mib,
  /**
   * While others wait for carry room, a packet that is not complete after this long is given up.
   */
  mqttPacketStallMs: 10_000,
  /** Bytes read but not yet processed (no batch free, rate limit); above it no socket is read. */
  mqttHeldBytesMax: 64 * mib,
  /** Topic filters in one SUBSCRIBE or UNSUBSCRIBE: four times what a session may hold. */
  filtersPerPacketMax: 64,
  /** Access tokens asked of the registry at once; further CONNECTs wait in line. */
  credentialLookupsMax: 64,
  /** QoS 1 publishes to one device that it has not acknowledged. */
  downlinkInFlightMax: 100,
  /** Token buckets of devices, connected or lately so: connectionsMax and as many again. */
  messageRatesTrackedMax: 200_000,

  // ── HTTP ────────────────────────────────────────────────────────────────────────────────────
  /** Bodies that are incomplete, being expanded, or waiting for a batch, all together. */
  httpBodiesOpenBytesMax: 64 * mib,
  /** What a waiting body costs beside its bytes: its objects, so that tiny ones are bounded too. */
  httpBodyOverheadBytes: 512,
  httpBodyDeadlineMs: 30_000,
  gzipRatioMax: 50,
  /** Bodies expanded at once: half of libuv's four threads, so that syncs always find one. */
  httpExpansionsMax: 2,
  /** After the last answer of a stopping node its connections live this long, to hear of it. */
  httpStopLingerMs: 200,

  // ── credentials ─────────────────────────────────────────────────────────────────────────────
  credentialCacheEntriesMax: 200_000,
  credentialNegativeEntriesMax: 50_000,
  credentialNegativeMs: 5_000,

  // ── embedded ClickHouse: its HTTP interface on loopback ─────────────────────────────────────
  /** A statement without the data of an INSERT. */
  clickhouseQueryBytesMax: 1 * mib,
  /** The data of one INSERT: eight segments of the default size. */
  clickhouseBodyBytesMax: 256 * mib,
  /** The data of all INSERTs that run or wait, on disk. */
  clickhouseBodiesBytesMax: 1024 * mib,
  clickhouseConnectionsMax: 256,
  /** Statements that run: each holds one thread of the process's pool of 16. */
  clickhouseReadsMax: 6,
  clickhouseWritesMax: 4,
  clickhouseWaitingMax: 64,
  clickhouseWaitMs: 15_000,
  /** A result that is held in memory; what may be sent row by row may be longer. */
  clickhouseResultRowsMax: 200_000,
  clickhouseResultBytesMax: 32 * mib,
  clickhouseQuerySecondsDefault: 60,
  clickhouseQuerySecondsMax: 600,
  /** Default of `clickhouse.embedded.memoryBytesMax`: half of a small machine's. */
  clickhouseMemoryBytesDefault: 2048 * mib,

  // ── registry ────────────────────────────────────────────────────────────────────────────────
  deviceNameCharactersMax: 255,
  deviceLabelCharactersMax: 255,
  tokenBytesMax: 255,
  /** Rotations with a grace period overlap; above this the oldest token ends at once. */
  credentialsPerDeviceMax: 8,
  /** Profiles are kinds of device; an import with a wrong column must not make a million. */
  profilesMax: 1_000,
  /** Changes are read four times a second; an hour covers a process that was suspended. */
  registryChangesKeptMs: 60 * 60_000,
  /** How long ClickHouse may be away and still learn that a device was deleted. */
  deletedDevicesKeptMs: 30 * 24 * 60 * 60_000,
  /** Rows of one import transaction: enough to share its sync, few enough to let others in. */
  importRowsMax: 10_000,
  /** One record of a CSV file, quoted line breaks included. */
  csvRecordBytesMax: 16 * kib,
});
