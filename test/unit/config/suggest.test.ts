import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggest } from '../../../src/config/suggest.js';

const names = ['mqtt.port', 'mqtt.host', 'http.port', 'clickhouse.embedded.port', 'dataDir'];

function check(written: string, expected: string | undefined): void {
  assert.equal(suggest(written, names), expected);
}

test('the nearest name is suggested, a far one is not', () => {
  check('mqtt.port', 'mqtt.port');
  check('mqtt.prot', 'mqtt.port');
  check('mqt.hots', 'mqtt.host');
  check('MQTT.Port', 'mqtt.port');
  check('data-dir', 'dataDir');
  check('data_dri', 'dataDir');
  check('clickhouse.port', undefined);
  check('clickhouse.embeded.prot', 'clickhouse.embedded.port');
  check('x', undefined);
  check('', undefined);
  check('something.else', undefined);
});
