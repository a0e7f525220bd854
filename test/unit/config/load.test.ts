import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Environment } from '../../../src/config/environment.js';
import { partCommandLine } from '../../../src/config/flags.js';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.js';
import { problemLine } from '../../../src/config/problem.js';

const root = mkdtempSync(join(tmpdir(), 'sluice-config-'));
after(() => rmSync(root, { recursive: true }));

interface Given {
  yaml?: string;
  environment?: Environment;
  argv?: string[];
}

function load({ yaml, environment = {}, argv = [] }: Given) {
  const directory = mkdtempSync(join(root, 'case-'));
  if (yaml !== undefined) writeFileSync(join(directory, 'sluice.yaml'), yaml);
  return loadConfig({ commandLine: partCommandLine(argv), environment, directory });
}

function valid(given: Given): LoadedConfig {
  const loaded = load(given);
  assert.equal(loaded.kind, 'valid', JSON.stringify(loaded));
  return loaded as LoadedConfig;
}

/** Every line is written out as the operator reads it. */
function bad(given: Given, ...lines: string[]): void {
  const loaded = load(given);
  assert.equal(loaded.kind, 'invalid');
  assert.deepEqual(loaded.kind === 'invalid' ? loaded.problems.map(problemLine) : [], lines);
}

test('with nothing given the defaults hold', () => {
  const { config, provenance } = valid({});
  assert.equal(config.dataDir, './data');
  assert.deepEqual(config.mqtt, {
    host: '0.0.0.0',
    port: 1883,
    packetBytesMax: 262_144,
    badPayload: 'ack',
    keepAliveMaxSeconds: 3600,
    receiveMaximum: 100,
  });
  assert.deepEqual(config.http, { host: '0.0.0.0', port: 8080, bodyBytesMax: 262_144 });
  assert.deepEqual(config.metrics, { host: '127.0.0.1', port: 9090 });
  assert.equal(config.clickhouse.url, undefined);
  assert.equal(config.clickhouse.embedded.port, 8123);
  assert.equal(config.drainSeconds, 30);
  assert.equal(config.log.level, 'info');
  assert.deepEqual(new Set(provenance.values()), new Set(['default']));
});

test('flags win over the environment, it over the file, the file over defaults', () => {
  const yaml = 'mqtt:\n  port: 1\n  receiveMaximum: 7\nhttp: { port: 2 }\ndrainSeconds: 5\n';
  const environment = { SLUICE_MQTT__PORT: '3', SLUICE_HTTP__PORT: '4', HOME: '/root' };
  const argv = ['--mqtt.port', '5', 'start'];
  const { config, provenance } = valid({ yaml, environment, argv });
  assert.equal(config.mqtt.port, 5);
  assert.equal(provenance.get('mqtt.port'), 'flag --mqtt.port');
  assert.equal(config.http.port, 4);
  assert.equal(provenance.get('http.port'), 'environment SLUICE_HTTP__PORT');
  assert.equal(config.mqtt.receiveMaximum, 7);
  assert.equal(provenance.get('mqtt.receiveMaximum'), 'sluice.yaml:3:19');
  assert.equal(config.drainSeconds, 5);
  assert.equal(provenance.get('metrics.port'), 'default');
});

test('the result is frozen to its leaves and has every key', () => {
  const { config } = valid({});
  assert.ok(Object.isFrozen(config));
  assert.ok(Object.isFrozen(config.clickhouse.embedded));
  assert.ok('password' in config.clickhouse);
});

test('text becomes a number only where a number is wanted', () => {
  const environment = {
    SLUICE_CLICKHOUSE__URL: 'https://ch.example:8443',
    SLUICE_CLICKHOUSE__PASSWORD: '12345',
    SLUICE_JOURNAL__GROUP_DELAY_MS: '0.5',
    SLUICE_DATA_DIR: '/var/lib/sluice',
  };
  const { config } = valid({ environment });
  assert.equal(config.clickhouse.password, '12345');
  assert.equal(config.journal.groupDelayMs, 0.5);
  assert.equal(config.dataDir, '/var/lib/sluice');
});

test('a secret can come from a file', () => {
  const file = join(root, 'password');
  writeFileSync(file, 'pass word\n');
  const { config, provenance } = valid({
    environment: { SLUICE_CLICKHOUSE__PASSWORD_FILE: file, SLUICE_CLICKHOUSE__URL: 'http://ch' },
  });
  assert.equal(config.clickhouse.password, 'pass word');
  const source = provenance.get('clickhouse.password');
  assert.equal(source, 'environment SLUICE_CLICKHOUSE__PASSWORD_FILE');
});

test('what Kubernetes puts there for a service of our name is not ours', () => {
  const environment = {
    SLUICE_SERVICE_HOST: '10.0.0.1',
    SLUICE_SERVICE_PORT_MQTT: '1883',
    SLUICE_PORT: 'tcp://10.0.0.1:1883',
    SLUICE_PORT_1883_TCP_ADDR: '10.0.0.1',
  };
  assert.equal(valid({ environment }).config.mqtt.port, 1883);
});

test('--config names another file, which must exist', () => {
  const file = join(root, 'other.yaml');
  writeFileSync(file, 'log:\n  level: debug\n');
  const { config, provenance } = valid({ argv: ['--config', file] });
  assert.equal(config.log.level, 'debug');
  assert.equal(provenance.get('log.level'), `${file}:2:10`);
  bad(
    { argv: ['--config=missing.yaml'] },
    'missing.yaml: there is no such file. Name a YAML file that this user may read.',
  );
  mkdirSync(join(root, 'folder'));
  bad(
    { argv: ['--config', join(root, 'folder')] },
    `${root}/folder: EISDIR: illegal operation on a directory, read. ` +
      'Name a YAML file that this user may read.',
  );
});

test('an empty file and an empty section say nothing', () => {
  assert.equal(valid({ yaml: '' }).config.mqtt.port, 1883);
  assert.equal(valid({ yaml: '# nothing\nmqtt:\n' }).config.mqtt.port, 1883);
});

test('a value out of bounds is told with its place and remedy', () => {
  bad(
    { yaml: 'mqtt:\n  port: 99999\n' },
    'sluice.yaml:2:9: mqtt.port is 99999: expected an integer from 0 to 65535. ' +
      'Change it, or remove it for the default 1883.',
  );
  bad(
    { yaml: 'mqtt: { port: 18.5 }\n' },
    'sluice.yaml:1:15: mqtt.port is 18.5: expected an integer from 0 to 65535. ' +
      'Change it, or remove it for the default 1883.',
  );
  bad(
    { environment: { SLUICE_MQTT__PORT: 'mqtt' } },
    'environment SLUICE_MQTT__PORT: mqtt.port is "mqtt": expected an integer from 0 to 65535. ' +
      'Change it, or remove it for the default 1883.',
  );
  bad(
    { argv: ['--log.level=loud'] },
    'flag --log.level: log.level is "loud": expected debug, info, warn, error or silent. ' +
      'Change it, or remove it for the default "info".',
  );
  bad(
    { argv: ['--data-dir='] },
    'flag --data-dir: dataDir is "": expected a directory name. ' +
      'Change it, or remove it for the default "./data".',
  );
  bad(
    { yaml: 'journal:\n  segmentBytes: 1000\n' },
    'sluice.yaml:2:17: journal.segmentBytes is 1000: ' +
      'expected an integer from 262144 to 1073741824. ' +
      'Change it, or remove it for the default 33554432.',
  );
  bad(
    { argv: ['--clickhouse.cluster', 'a b', '--clickhouse.url', 'http://ch'] },
    'flag --clickhouse.cluster: clickhouse.cluster is "a b": ' +
      'expected a name of letters, digits and underscores. Change it or remove it.',
  );
  bad(
    { argv: ['--mqtt.host', 'a host'] },
    'flag --mqtt.host: mqtt.host is "a host": expected an IP address or a host name. ' +
      'Change it, or remove it for the default "0.0.0.0".',
  );
});

test('a secret is never shown', () => {
  bad(
    { yaml: 'clickhouse: { url: http://ch, password: 12345 }\n' },
    'sluice.yaml:1:41: clickhouse.password is "***": expected text; put it in quotes. ' +
      'Change it or remove it.',
  );
  bad(
    { argv: ['--clickhouse.url', 'http://me:geheim@ch:8123'] },
    'flag --clickhouse.url: clickhouse.url is "http://***@ch:8123": expected an address ' +
      'such as http://localhost:8123, without user or password. Change it or remove it.',
  );
  bad(
    { argv: ['--clickhouse.url', 'ftp://ch'] },
    'flag --clickhouse.url: clickhouse.url is "ftp://ch": expected an address ' +
      'such as http://localhost:8123, without user or password. Change it or remove it.',
  );
});

test('an unknown key is an error that names what was meant', () => {
  const remedy = (name: string): string => `there is no such key. Did you mean ${name}?`;
  bad({ yaml: 'mqtt:\n  prot: 1\n' }, `sluice.yaml:2:3: mqtt.prot: ${remedy('mqtt.port')}`);
  bad({ yaml: 'mqqt:\n  port: 1\n' }, `sluice.yaml:1:1: mqqt: ${remedy('mqtt')}`);
  bad({ yaml: 'mqtt.port: 1\n' }, `sluice.yaml:1:1: mqtt.port: ${remedy('mqtt.port')}`);
  bad({ yaml: 'data_dir: x\n' }, `sluice.yaml:1:1: data_dir: ${remedy('dataDir')}`);
  bad({ argv: ['--mqtt.prot', '1'] }, `flag --mqtt.prot: ${remedy('--mqtt.port')}`);
  bad(
    { environment: { SLUICE_MQTT_PORT: '1' } },
    `environment SLUICE_MQTT_PORT: ${remedy('SLUICE_MQTT__PORT')}`,
  );
  bad(
    { environment: { SLUICE_PORT: '1883', SLUICE_CLICKHOUSE__PASSWORD_FIL: '/x' } },
    'environment SLUICE_PORT: there is no such key. See `sluice config print`.',
    `environment SLUICE_CLICKHOUSE__PASSWORD_FIL: ${remedy('SLUICE_CLICKHOUSE__PASSWORD_FILE')}`,
  );
  bad(
    { yaml: 'entirely: 1\n' },
    'sluice.yaml:1:1: entirely: there is no such key. See `sluice config print`.',
  );
});

test('YAML of another shape is told with its place', () => {
  bad(
    { yaml: 'mqtt: 1883\n' },
    'sluice.yaml:1:7: mqtt: expected keys and values. Write one "key: value" per line.',
  );
  bad(
    { yaml: '- 1\n' },
    'sluice.yaml:1:1: expected keys and values. Write one "key: value" per line.',
  );
  bad(
    { yaml: 'mqtt:\n  port: [1883]\n  host:\n' },
    'sluice.yaml:2:3: mqtt.port: expected one value. ' +
      'Write the value behind the colon, or remove the line.',
    'sluice.yaml:3:3: mqtt.host: expected one value. ' +
      'Write the value behind the colon, or remove the line.',
  );
  bad(
    { yaml: 'mqtt:\n  port: 1\n  port: 2\n' },
    'sluice.yaml:3:3: Map keys must be unique. Correct the YAML at this place.',
  );
});

test('a flag without its value, and a secret given twice or in no file', () => {
  bad(
    { argv: ['--mqtt.port'] },
    'flag --mqtt.port: the value is missing. Write --mqtt.port VALUE.',
  );
  bad({ argv: ['--config'] }, 'flag --config: the value is missing. Write --config VALUE.');
  bad(
    {
      environment: {
        SLUICE_CLICKHOUSE__URL: 'http://ch',
        SLUICE_CLICKHOUSE__PASSWORD: 'x',
        SLUICE_CLICKHOUSE__PASSWORD_FILE: '/nowhere',
      },
    },
    'environment SLUICE_CLICKHOUSE__PASSWORD_FILE: SLUICE_CLICKHOUSE__PASSWORD is set too. ' +
      'Set one of the two.',
  );
  bad(
    { environment: { SLUICE_CLICKHOUSE__PASSWORD_FILE: '/nowhere' } },
    'environment SLUICE_CLICKHOUSE__PASSWORD_FILE: ' +
      "ENOENT: no such file or directory, open '/nowhere'. Name a file that this user may read.",
  );
});

test('keys that cannot hold together are told', () => {
  bad(
    { argv: ['--mqtt.port', '8080'] },
    'flag --mqtt.port: mqtt.port is 8080: http.port has the same port as mqtt.port. ' +
      'Give each a port of its own; 0 takes a free one.',
  );
  bad(
    { yaml: 'journal:\n  bytesMax: 8388608\n' },
    'sluice.yaml:2:13: journal.bytesMax is 8388608: ' +
      'the journal needs room for four files of 33554432 bytes. ' +
      'Raise journal.bytesMax or lower journal.segmentBytes.',
  );
  bad(
    {
      argv: [
        '--journal.segmentBytes=262144',
        '--journal.bytesMax=8388608',
        '--mqtt.packetBytesMax=600000',
      ],
    },
    'flag --mqtt.packetBytesMax: mqtt.packetBytesMax is 600000: ' +
      'the journal of 8388608 bytes has no room for sixteen of these. ' +
      'Lower mqtt.packetBytesMax or raise journal.bytesMax.',
  );
  bad(
    { argv: ['--clickhouse.password', 'geheim'] },
    'flag --clickhouse.password: clickhouse.password: the embedded ClickHouse does not use it. ' +
      'Set clickhouse.url or remove clickhouse.password.',
  );
});

test('listeners on addresses of their own may share a port number, port 0 always', () => {
  valid({ argv: ['--mqtt.port', '0', '--http.port', '0', '--metrics.port', '0'] });
  valid({ argv: ['--http.host', '10.0.0.1', '--http.port', '9090'] });
  valid({ argv: ['--clickhouse.url', 'http://ch', '--http.port', '8123'] });
});

test('all problems of all sources come together', () => {
  bad(
    {
      yaml: 'mqtt:\n  port: -1\n  hots: x\n',
      environment: { SLUICE_LOG__LEVEL: 'loud' },
      argv: ['--drain-seconds', 'long', '--http.prot=1'],
    },
    'sluice.yaml:3:3: mqtt.hots: there is no such key. Did you mean mqtt.host?',
    'flag --http.prot: there is no such key. Did you mean --http.port?',
    'sluice.yaml:2:9: mqtt.port is -1: expected an integer from 0 to 65535. ' +
      'Change it, or remove it for the default 1883.',
    'environment SLUICE_LOG__LEVEL: log.level is "loud": ' +
      'expected debug, info, warn, error or silent. ' +
      'Change it, or remove it for the default "info".',
    'flag --drain-seconds: drainSeconds is "long": expected an integer from 0 to 3600. ' +
      'Change it, or remove it for the default 30.',
  );
});
