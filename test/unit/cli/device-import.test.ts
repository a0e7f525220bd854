import assert from 'node:assert/strict';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { runProgram } from '../../../src/cli/program.js';
import { systemClock } from '../../../src/core/clock.js';
import { type ProgramRun, runIn } from '../../support/run-program.js';

interface Shell {
  readonly folder: string;
  /** Runs `sluice device import` on a file of this text. */
  load(text: string | Buffer, ...argv: string[]): Promise<ProgramRun>;
  run(...argv: string[]): Promise<string>;
}

function shell(t: TestContext): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return {
    folder,
    async load(text, ...argv) {
      const file = join(folder, 'devices.csv');
      writeFileSync(file, text);
      return runIn(folder, ['device', 'import', file, ...argv]);
    },
    async run(...argv) {
      const { code, stdout, stderr } = await runIn(folder, ['device', ...argv]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      return stdout;
    },
  };
}

test('a file with every column is imported, and again without a change', async (t) => {
  const { load, run } = shell(t);
  const text = [
    '\ufeffname,token,profile,label,gateway\r',
    'a,token a,meter,"roof, ""north""",true\r',
    'b,,,,\r',
    '\r',
    '"c\u00fc",token c,meter,,no\r',
    'd',
  ].join('\n');
  assert.deepEqual(await load(text), {
    code: 0,
    stdout: '4 created, 0 unchanged, 0 refused\nprofiles created: meter\n',
    stderr: '',
  });
  const device = JSON.parse(await run('show', 'a', '--json'));
  assert.equal(device.label, 'roof, "north"');
  assert.equal(device.gateway, true);
  assert.equal(device.profile, 'meter');
  assert.equal(await run('token', 'show', 'cü'), 'token c\n');
  const { code, stdout } = await load(text, '--json');
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), {
    created: 0,
    unchanged: 4,
    refused: 0,
    profilesCreated: [],
    dryRun: false,
  });
});

test('columns come in any order and only the name is needed', async (t) => {
  const { load, run } = shell(t);
  assert.equal((await load('Token, NAME\nt1,a\nt2,b\n')).code, 0);
  assert.equal(await run('token', 'show', 'b'), 't2\n');
  assert.equal((await load('name\nc\n')).code, 0);
  assert.equal((await load('gateway,name\n1,d\n')).code, 0);
  assert.match(await run('show', 'd'), /gateway {3}yes/);
});

test('bad lines are told with number and remedy, the others are stored', async (t) => {
  const { load, run } = shell(t);
  const rows = [
    'name,token,gateway',
    'good 1,t1,',
    ',t2,',
    'twice,t1,',
    'flag,t3,maybe',
    '"several\nlines",t4,',
    'good 1,other,',
    'x"y,t5,',
    'more,t6,true,extra',
    'good 2,t7,true',
  ];
  const { code, stdout, stderr } = await load(`${rows.join('\n')}\n`);
  assert.equal(code, 2);
  assert.equal(stdout, '2 created, 0 unchanged, 7 refused\n');
  // What is wrong with a line itself is told when it is read, before its transaction.
  assert.deepEqual(stderr.trimEnd().split('\n').sort(), [
    'SLUICE_ARGUMENT_INVALID: line 10: cannot import the device: it has 4 fields, ' +
      'the header has 3. Put fields that contain a comma into quotes.',
    'SLUICE_ARGUMENT_INVALID: line 3: cannot use the device name: it is empty. Choose another one.',
    'SLUICE_ARGUMENT_INVALID: line 5: cannot import the device: gateway is "maybe". ' +
      'Write true or false, or leave it empty.',
    'SLUICE_ARGUMENT_INVALID: line 6: cannot use the device name: ' +
      'it contains control characters. Choose another one.',
    'SLUICE_ARGUMENT_INVALID: line 9: cannot import the device: a quote stands inside a field ' +
      'that does not begin with one. Correct the line.',
    'SLUICE_DEVICE_EXISTS: line 8: cannot import device "good 1": it exists with another ' +
      'access token. Correct the line, or delete the device first if the file is right.',
    'SLUICE_TOKEN_TAKEN: line 4: cannot import device "twice": another device has its access ' +
      'token. Give the line another token, or none to have one generated.',
  ]);
  assert.equal(await run('token', 'show', 'good 2'), 't7\n');
});

test('with --json each bad line is one object on standard error', async (t) => {
  const { load } = shell(t);
  const { code, stdout, stderr } = await load('name,token\n,x\na,\u0007\nb,ok\n', '--json');
  assert.equal(code, 2);
  const counts = { created: 1, unchanged: 0, refused: 2, profilesCreated: [], dryRun: false };
  assert.deepEqual(JSON.parse(stdout), counts);
  const errors = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(errors, [
    {
      code: 'SLUICE_ARGUMENT_INVALID',
      message: 'line 2: cannot use the device name: it is empty',
      remedy: 'Choose another one.',
      line: 2,
    },
    {
      code: 'SLUICE_ARGUMENT_INVALID',
      message: 'line 3: cannot use the access token: it contains control characters',
      remedy: 'Give another token, or none to have one generated.',
      line: 3,
    },
  ]);
});

test('a dry run finds the same and stores nothing', async (t) => {
  const { load, run } = shell(t);
  await run('create', 'there', '--token', 'taken');
  const text = 'name,token,profile\na,t1,meter\nb,t1,\nthere,taken,\nc,taken,\na,t1,meter\n';
  const dry = await load(text, '--dry-run');
  assert.equal(dry.code, 2);
  assert.equal(
    dry.stdout,
    '1 would be created, 2 unchanged, 2 refused (dry run: nothing was stored)\n' +
      'profiles would be created: meter\n',
  );
  assert.equal((await run('list', '--json')).trimEnd().split('\n').length, 1);
  const real = await load(text);
  assert.equal(real.stderr, dry.stderr);
  assert.equal(real.stdout, '1 created, 2 unchanged, 2 refused\nprofiles created: meter\n');
});

test('a file that cannot be imported at all is one error', async (t) => {
  const { load, folder } = shell(t);
  const check = async (text: string | Buffer, message: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await load(text);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^SLUICE_ARGUMENT_INVALID: [^\n]*\n$/);
    assert.match(stderr, message);
  };
  await check('', /it is empty\. The first line names the columns/);
  await check('\n\n', /it is empty/);
  await check('token,label\nt,l\n', /does not name the column "name"/);
  await check('name,tokens\n', /unknown column "tokens"/);
  await check('name,name\n', /the column "name" twice/);
  await check('name;token\n', /unknown column "name;token"/);
  await check(Buffer.of(0xff, 0xfe, 0x6e, 0x00), /the header: it is not UTF-8/);
  const missing = await runIn(folder, ['device', 'import', 'missing.csv']);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /cannot read missing\.csv: ENOENT/);
});

test('many lines are imported in several transactions, with a bar on a terminal', async (t) => {
  const { folder, run } = shell(t);
  const file = join(folder, 'many.csv');
  const stream = createWriteStream(file);
  stream.write('name,token\n');
  for (let row = 0; row < 12_000; row += 1) stream.write(`device ${row},token ${row}\n`);
  await new Promise<void>((resolve) => stream.end(resolve));
  const written = { stdout: '', stderr: '' };
  const terminal = (name: 'stdout' | 'stderr'): Writable & { isTTY: boolean } => {
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        done();
      },
    });
    return Object.assign(sink, { isTTY: true, columns: 120 });
  };
  const environment = { NO_COLOR: '1' };
  const clock = systemClock();
  const host = { clock, environment, directory: folder };
  const streams = { stdout: terminal('stdout'), stderr: terminal('stderr') };
  const code = await runProgram(['device', 'import', file], { ...host, ...streams });
  assert.equal(code, 0);
  assert.equal(written.stdout, '12000 created, 0 unchanged, 0 refused\n');
  assert.match(written.stderr, /100% {2}12000 created, 0 refused/);
  assert.ok(!written.stderr.includes(`${String.fromCharCode(27)}[3`), 'no colour');
  assert.equal((await run('list', '--json')).trimEnd().split('\n').length, 12_000);
});
