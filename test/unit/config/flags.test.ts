import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partCommandLine } from '../../../src/config/flags.js';

function check(argv: string[], flags: [string, string | undefined][], rest: string[]): void {
  const parted = partCommandLine(argv);
  assert.deepEqual(
    parted.flags.map(({ name, value }) => [name, value]),
    flags,
  );
  assert.deepEqual(parted.rest, rest);
}

test('configuration flags are taken out from anywhere, the rest is left in order', () => {
  check(['start'], [], ['start']);
  check(['start', '--mqtt.port', '0'], [['--mqtt.port', '0']], ['start']);
  check(['--mqtt.port=0', 'start', '--json'], [['--mqtt.port', '0']], ['start', '--json']);
  check(['device', '--data-dir', 'x', 'list'], [['--data-dir', 'x']], ['device', 'list']);
  check(['--data-dir=a=b'], [['--data-dir', 'a=b']], []);
  check(['--drain-seconds', '-1'], [['--drain-seconds', '-1']], []);
  check(
    ['--drainSeconds=5', '--dataDir', 'x'],
    [
      ['--drainSeconds', '5'],
      ['--dataDir', 'x'],
    ],
    [],
  );
});

test('a misspelt flag with a dot is ours, others are the command’s', () => {
  check(['--mqtt.prot', '1'], [['--mqtt.prot', '1']], []);
  check(['--dry-run'], [], ['--dry-run']);
  check(['--data-dri', 'x'], [], ['--data-dri', 'x']);
});

test('a missing value is seen as such', () => {
  check(['--mqtt.port'], [['--mqtt.port', undefined]], []);
  check(['--mqtt.port', '--json'], [['--mqtt.port', undefined]], ['--json']);
});

test('SQL and whatever follows -- are left alone', () => {
  check(['sql', '-- note a.b\nSELECT 1'], [], ['sql', '-- note a.b\nSELECT 1']);
  check(['sql', '--', '--mqtt.port'], [], ['sql', '--', '--mqtt.port']);
});

test('--config names the file', () => {
  const parted = partCommandLine(['start', '--config', 'a.yaml']);
  assert.equal(parted.configFile, 'a.yaml');
  assert.deepEqual(parted.rest, ['start']);
});
