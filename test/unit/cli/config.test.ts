import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Environment } from '../../../src/config/environment.js';
import { runIn } from '../../support/run-program.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-cli-config-'));
after(() => rmSync(directory, { recursive: true }));

const run = (argv: string[], environment: Environment = {}) => runIn(directory, argv, environment);

test('config check says that all is well', async () => {
  assert.deepEqual(await run(['config', 'check']), {
    code: 0,
    stdout: 'The configuration is valid.\n',
    stderr: '',
  });
  const { stdout } = await run(['config', 'check', '--json', '--mqtt.port=0']);
  assert.equal(stdout, '{"valid":true,"problems":[]}\n');
});

test('config check tells every problem and exits with 78', async () => {
  const checked = await run(['config', 'check', '--mqtt.prot', '1'], { SLUICE_LOG__LEVEL: 'loud' });
  assert.equal(checked.code, 78);
  assert.equal(
    checked.stdout,
    'flag --mqtt.prot: there is no such key. Did you mean --mqtt.port?\n' +
      'environment SLUICE_LOG__LEVEL: log.level is "loud": ' +
      'expected debug, info, warn, error or silent. ' +
      'Change it, or remove it for the default "info".\n',
  );
  const { code, stdout } = await run(['config', 'check', '--json', '--mqtt.port=x']);
  assert.equal(code, 78);
  assert.deepEqual(JSON.parse(stdout), {
    valid: false,
    problems: [
      {
        source: 'flag --mqtt.port',
        key: 'mqtt.port',
        value: '"x"',
        message: 'expected an integer from 0 to 65535',
        remedy: 'Change it, or remove it for the default 1883.',
      },
    ],
  });
});

test('every other command refuses an invalid configuration in the same words', async () => {
  const { code, stdout, stderr } = await run(['start', '--mqtt.port=99999']);
  assert.equal(code, 78);
  assert.equal(stdout, '');
  assert.equal(
    stderr,
    'SLUICE_CONFIG_INVALID: the configuration has problems\n' +
      '  flag --mqtt.port: mqtt.port is 99999: expected an integer from 0 to 65535. ' +
      'Change it, or remove it for the default 1883.\n',
  );
});

test('config print shows value and source of every key, secrets masked', async () => {
  writeFileSync(join(directory, 'sluice.yaml'), 'clickhouse:\n  url: http://ch:8123\n');
  const environment = { SLUICE_CLICKHOUSE__PASSWORD: 'geheim' };
  const { code, stdout } = await run(['config', 'print', '--mqtt.port', '1'], environment);
  assert.equal(code, 0);
  const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
  assert.deepEqual(lines[0], ['key', 'value', 'source']);
  const find = (key: string) => lines.find(([first]) => first === key);
  assert.deepEqual(find('mqtt.port'), ['mqtt.port', '1', 'flag --mqtt.port']);
  assert.deepEqual(find('http.port'), ['http.port', '8080', 'default']);
  assert.deepEqual(find('clickhouse.url'), ['clickhouse.url', 'http://ch:8123', 'sluice.yaml:2:8']);
  assert.deepEqual(find('clickhouse.password'), [
    'clickhouse.password',
    '***',
    'environment SLUICE_CLICKHOUSE__PASSWORD',
  ]);
  assert.ok(!stdout.includes('geheim'));

  const changed = await run(['config', 'print', '--changed', '--json', '--mqtt.port', '1']);
  assert.deepEqual(JSON.parse(changed.stdout), {
    'mqtt.port': { value: 1, source: 'flag --mqtt.port' },
    'clickhouse.url': { value: 'http://ch:8123', source: 'sluice.yaml:2:8' },
  });
  rmSync(join(directory, 'sluice.yaml'));
});

test('config schema writes JSON Schema', async () => {
  const { code, stdout } = await run(['config', 'schema']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).title, 'Configuration of Sluice');
});
