import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configKeys } from '../../../src/config/keys.js';

const byPath = new Map(configKeys.map((key) => [key.path, key]));

function check(path: string, flag: string, variable: string): void {
  assert.equal(byPath.get(path)?.flag, flag);
  assert.equal(byPath.get(path)?.variable, variable);
}

test('a key is spelt alike in every source', () => {
  check('dataDir', '--data-dir', 'SLUICE_DATA_DIR');
  check('drainSeconds', '--drain-seconds', 'SLUICE_DRAIN_SECONDS');
  check('mqtt.port', '--mqtt.port', 'SLUICE_MQTT__PORT');
  check('journal.segmentBytes', '--journal.segmentBytes', 'SLUICE_JOURNAL__SEGMENT_BYTES');
  check(
    'clickhouse.embedded.memoryBytesMax',
    '--clickhouse.embedded.memoryBytesMax',
    'SLUICE_CLICKHOUSE__EMBEDDED__MEMORY_BYTES_MAX',
  );
});

test('the names that other programs rely on are there', () => {
  for (const path of [
    'dataDir',
    'mqtt.host',
    'mqtt.port',
    'http.host',
    'http.port',
    'metrics.port',
    'clickhouse.url',
    'clickhouse.user',
    'clickhouse.password',
    'clickhouse.database',
    'clickhouse.embedded.port',
    'drainSeconds',
    'log.level',
  ]) {
    assert.ok(byPath.has(path), path);
  }
});

test('every key is described, and only the password is a secret', () => {
  for (const key of configKeys) assert.notEqual(key.description, '', key.path);
  const secrets = configKeys.filter((key) => key.secret).map((key) => key.path);
  assert.deepEqual(secrets, ['clickhouse.password']);
});
