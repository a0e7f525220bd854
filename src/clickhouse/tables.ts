/** Names of the tables that the node writes to, as `schema/clickhouse` makes them. */
export const tables = Object.freeze({
  telemetry: 'telemetry',
  rejected: 'rejected_messages',
  latest: 'latest',
  changed: 'telemetry_changed',
  hourly: 'telemetry_hourly',
  devices: 'device_versions',
} as const);

/** Columns of a telemetry row, in the order of the Native blocks. */
export const telemetryColumns =
  'device_id, key, ts, received_at, type, num, long, text, segment' as const;

/** Columns of a rejected message, in the order of the Native blocks. */
export const rejectedColumns =
  'device_id, received_at, protocol, topic, reason, payload, segment' as const;
