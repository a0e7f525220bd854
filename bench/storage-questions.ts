/** What is asked in `bench/storage.ts`, by name; `device` is a UUID of the data. */
export function questionsOf(device: string): Readonly<Record<string, string>> {
  const hour = "ts >= '2025-06-01 00:00:00' AND ts < '2025-06-01 01:00:00'";
  const one = `device_id = '${device}' AND key = 'temperature' AND ${hour}`;
  const named = `device = 'device 7'`;
  const id = `device_id = (SELECT id FROM devices WHERE name = 'device 7')`;
  const bucket = 'toStartOfFiveMinutes(ts) AS t';
  const fleet = "key = 'temperature' GROUP BY t ORDER BY t";
  return {
    'one key, 1 h: plain': `SELECT ${bucket}, avg(num) FROM plain WHERE ${one} GROUP BY t`,
    'one key, 1 h: points': `SELECT ${bucket}, avg(value) FROM points WHERE ${one} GROUP BY t`,
    'one key by name: points': `SELECT avg(value) FROM points WHERE ${named} AND key = 'rpm'`,
    'one key by name: subquery': `SELECT avg(value) FROM points WHERE ${id} AND key = 'rpm'`,
    'one key by name: points_of': `SELECT avg(value) FROM points_of(${named}) WHERE key = 'rpm'`,
    'latest of a device: points_latest': `SELECT * FROM points_latest
      WHERE device_id = '${device}'`,
    'latest of a device: telemetry': `SELECT key, argMax(num, ts) FROM telemetry
      WHERE device_id = '${device}' GROUP BY key`,
    'latest of a key, fleet': `SELECT device, value FROM points_latest WHERE key = 'rpm'`,
    'count: plain': 'SELECT count() FROM plain',
    'count: points': 'SELECT count() FROM points',
    'fleet by hour: plain': `SELECT toStartOfHour(ts) AS t, avg(num) FROM plain WHERE ${fleet}`,
    'fleet by hour: FINAL': `SELECT toStartOfHour(ts) AS t, avg(num) FROM telemetry FINAL
      WHERE ${fleet}`,
    'fleet by hour: points': `SELECT toStartOfHour(ts) AS t, avg(value) FROM points WHERE ${fleet}`,
    'rows of a segment': `SELECT uniqExact(device_id, key, ts) FROM telemetry
      WHERE segment = '3fa94c01-00000000003'`,
    'rows of a segment never sent': `SELECT uniqExact(device_id, key, ts) FROM telemetry
      WHERE segment = '3fa94c01-00000999999'`,
  };
}
