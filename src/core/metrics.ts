import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Every metric of the node, in one place: the README's table is compared with this file. Labels
 * come from closed sets; no device id is ever a label. Hot code counts in plain fields and adds
 * once per batch.
 */
const secondsFast = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2];
const secondsSlow = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];

export type Metrics = ReturnType<typeof createMetrics>;

/** Creates the metrics in a registry of their own, so that tests can have several nodes. */
export function createMetrics() {
  const registry = new Registry();
  const make = makers(registry);
  return {
    registry,
    ...connectionMetrics(make),
    ...messageMetrics(make),
    ...journalMetrics(make),
    ...storageMetrics(make),
    ...nodeMetrics(make),
  };
}

type Makers = ReturnType<typeof makers>;

function makers(registry: Registry) {
  const registers = [registry];
  return {
    counter: (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    gauge: (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name, help, labelNames, registers }),
    histogram: (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
      new Histogram({ name, help, buckets, labelNames, registers }),
  };
}

function connectionMetrics({ counter, gauge }: Makers) {
  return {
    connections: gauge('sluice_connections', 'Open connections', ['protocol']),
    connectionsRefused: counter(
      'sluice_connections_refused_total',
      'Connections refused before or at authentication',
      ['protocol', 'reason'],
    ),
    connectionsClosed: counter('sluice_connections_closed_total', 'Connections ended by the node', [
      'protocol',
      'reason',
    ]),
    sessionTakeovers: counter('sluice_session_takeovers_total', 'Sessions ended by a newer one'),
    readsPaused: counter(
      'sluice_reads_paused_total',
      'Times reading from a socket was paused, by reason',
      ['reason'],
    ),
    willsDropped: counter(
      'sluice_mqtt_wills_dropped_total',
      'Wills not published because too many waited for room in a batch',
    ),
  };
}

function messageMetrics({ counter, gauge, histogram }: Makers) {
  return {
    messagesReceived: counter(
      'sluice_messages_received_total',
      'Messages received, before they are checked',
      ['protocol', 'qos', 'kind'],
    ),
    pointsAccepted: counter('sluice_points_accepted_total', 'Points made durable in the journal'),
    pointsStored: counter('sluice_points_stored_total', 'Points confirmed by ClickHouse'),
    rejected: counter('sluice_rejected_total', 'Messages rejected, by reason', ['reason']),
    rejectedDropped: counter(
      'sluice_rejected_dropped_total',
      'Rejected messages over the per-device budget, counted only',
    ),
    integersWidened: counter(
      'sluice_integers_widened_total',
      'Integer literals beyond 64 bits, stored as double',
    ),
    rateLimited: counter('sluice_rate_limited_total', 'Messages delayed or refused by a limit', [
      'limit',
    ]),
    httpResponses: counter('sluice_http_responses_total', 'Answers of the HTTP device API', [
      'status',
    ]),
    httpBodies: gauge('sluice_http_bodies_bytes', 'Memory of HTTP bodies that are in no batch yet'),
    ackDuration: histogram(
      'sluice_ack_duration_seconds',
      'From the arrival of a batch’s first message to its acknowledgement',
      secondsFast,
    ),
    batchMessages: histogram(
      'sluice_batch_messages',
      'Messages per batch handed to a worker',
      [1, 4, 16, 64, 256, 1024, 4096],
    ),
  };
}

function journalMetrics({ counter, gauge, histogram }: Makers) {
  return {
    journalBytes: gauge('sluice_journal_bytes', 'Bytes of segments not yet stored in ClickHouse'),
    journalOldest: gauge(
      'sluice_journal_oldest_seconds',
      'Age of the oldest segment that is not stored',
    ),
    journalCommits: counter('sluice_journal_commits_total', 'Group commits (one sync each)'),
    journalWritten: counter('sluice_journal_written_bytes_total', 'Bytes written to segments'),
    journalSyncDuration: histogram(
      'sluice_journal_sync_duration_seconds',
      'Write and fdatasync of one group',
      secondsFast,
    ),
    journalFailures: counter('sluice_journal_failures_total', 'Failed writes or syncs'),
    journalQuarantined: counter(
      'sluice_journal_quarantined_total',
      'Records or rows set aside because they are damaged or refused',
      ['reason'],
    ),
  };
}

function storageMetrics({ counter, gauge, histogram }: Makers) {
  return {
    insertDuration: histogram(
      'sluice_insert_duration_seconds',
      'One INSERT into ClickHouse',
      secondsSlow,
    ),
    insertRows: histogram(
      'sluice_insert_rows',
      'Rows per INSERT',
      [100, 1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000],
    ),
    insertRetries: counter('sluice_insert_retries_total', 'Inserts to be repeated', ['code']),
    clickhouseUp: gauge('sluice_clickhouse_up', '1 while ClickHouse answers'),
  };
}

function nodeMetrics({ counter, gauge }: Makers) {
  return {
    credentialCacheHits: counter(
      'sluice_registry_cache_hits_total',
      'Credential look-ups answered from memory',
    ),
    credentialCacheMisses: counter(
      'sluice_registry_cache_misses_total',
      'Credential look-ups that asked the database',
    ),
    eventLoopDelay: gauge(
      'sluice_eventloop_delay_seconds',
      '99th percentile of the event-loop delay since the last scrape',
    ),
    memory: gauge('sluice_memory_bytes', 'Resident memory of the node process'),
    buildInfo: gauge('sluice_build_info', 'Constant 1, labelled with the version', ['version']),
  };
}
