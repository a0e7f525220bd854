import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configJsonSchema } from '../../../src/config/json-schema.js';
import { packageRoot } from '../../../src/core/package-root.js';

test('schema/config.schema.json is what the code says', () => {
  const file = join(packageRoot(), 'schema', 'config.schema.json');
  const remedy = 'write it anew: node dist/src/main.js config schema > schema/config.schema.json';
  assert.equal(readFileSync(file, 'utf8'), configJsonSchema(), remedy);
});

test('the schema carries bounds, defaults and secrets for an editor', () => {
  const schema = JSON.parse(configJsonSchema());
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.required, undefined);
  const { port } = schema.properties.mqtt.properties;
  assert.deepEqual(port, {
    default: 1883,
    description: 'TCP port of MQTT; 0 takes a free one',
    type: 'integer',
    minimum: 0,
    maximum: 65535,
  });
  assert.equal(schema.properties.clickhouse.properties.password.writeOnly, true);
});
