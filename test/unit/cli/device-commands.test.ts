import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runIn } from '../../support/run-program.js';

interface Shell {
  /** Runs `sluice device …` and expects this exit code and nothing on standard error. */
  run(...argv: string[]): Promise<string>;
  json(...argv: string[]): Promise<Record<string, unknown>>;
  /** Runs a command that fails; returns what it says on standard error. */
  fails(code: number, ...argv: string[]): Promise<string>;
}

function shell(t: TestContext): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-device-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const call = (argv: string[]) =>
    runIn(folder, ['device', ...argv], { SLUICE_DATA_DIR: join(folder, 'data') });
  const run = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await call(argv);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    return stdout;
  };
  return {
    run,
    json: async (...argv) => JSON.parse(await run(...argv, '--json')),
    fails: async (code, ...argv) => {
      const result = await call(argv);
      assert.equal(result.code, code, result.stderr);
      return result.stderr;
    },
  };
}

test('create prints exactly id, name and token as JSON', async (t) => {
  const { json } = shell(t);
  const made = await json('create', 'pump', '--token', 'my token');
  assert.deepEqual(Object.keys(made), ['id', 'name', 'token']);
  assert.match(String(made['id']), /^[0-9a-f-]{36}$/);
  assert.equal(made['name'], 'pump');
  assert.equal(made['token'], 'my token');
  const generated = await json('create', 'valve');
  assert.match(String(generated['token']), /^[A-Za-z0-9]{20}$/);
});

test('create tells a person the id and the token', async (t) => {
  const { run, json } = shell(t);
  const text = await run(
    'create',
    'pump',
    '--token',
    't1',
    '--profile',
    'meter',
    '--label',
    'roof',
  );
  const shown = await json('show', 'pump');
  assert.equal(
    text,
    `Created profile meter.\nCreated device pump.\n  id     ${shown['id']}\n  token  t1\n`,
  );
  assert.equal(shown['profile'], 'meter');
  assert.equal(shown['label'], 'roof');
  assert.equal(shown['gateway'], false);
  assert.equal((await json('create', 'gate', '--gateway'))['name'], 'gate');
  assert.equal((await json('show', 'gate'))['gateway'], true);
});

test('what is refused is one line with code and remedy', async (t) => {
  const { run, fails } = shell(t);
  await run('create', 'pump', '--token', 't1');
  assert.equal(
    await fails(1, 'create', 'pump'),
    'SLUICE_DEVICE_EXISTS: cannot name a device "pump": there is one of this name. ' +
      'Choose another name, or change the device that has it.\n',
  );
  assert.match(await fails(1, 'create', 'valve', '--token', 't1'), /^SLUICE_TOKEN_TAKEN: /);
  assert.match(await fails(2, 'create', ' '), /^SLUICE_ARGUMENT_INVALID: .*it is empty/);
  assert.match(await fails(2, 'create', 'x', '--token', ''), /access token: it is empty/);
  const unknown =
    'SLUICE_DEVICE_UNKNOWN: cannot find device "x". See the names with `sluice device list`.\n';
  for (const argv of [['show'], ['token', 'show'], ['token', 'rotate'], ['delete'], ['enable']]) {
    assert.equal(await fails(1, ...argv, 'x'), unknown);
  }
  assert.deepEqual(JSON.parse(await fails(1, 'delete', 'x', '--json')), {
    code: 'SLUICE_DEVICE_UNKNOWN',
    message: 'cannot find device "x"',
    remedy: 'See the names with `sluice device list`.',
    name: 'x',
  });
});

test('list prints a table, and one object a line as JSON', async (t) => {
  const { run, json, fails } = shell(t);
  assert.equal(await run('list'), '0 of 0 devices\n');
  assert.equal(await run('list', '--json'), '');
  const ids: unknown[] = [];
  for (const name of ['b', 'a', 'c']) ids.push((await json('create', name))['id']);
  await run('disable', 'b');
  const table = [
    'name  profile  label  state     kind  id',
    `a     default         enabled         ${ids[1]}`,
    `b     default         disabled        ${ids[0]}`,
  ];
  const next = ['2 of 3 devices', 'The next page: --after "b"', ''];
  assert.equal(await run('list', '--limit', '2'), [...table, ...next].join('\n'));
  const lines = (await run('list', '--json')).trimEnd().split('\n');
  const devices = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    devices.map(({ name, enabled }) => [name, enabled]),
    [
      ['a', true],
      ['b', false],
      ['c', true],
    ],
  );
  assert.match(devices[0].createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal((await json('list', '--after', 'b'))['name'], 'c');
  assert.equal((await json('list', '--search', 'C'))['name'], 'c');
  assert.equal(await run('list', '--profile', 'other', '--json'), '');
  assert.match(await fails(2, 'list', '--limit', '0'), /cannot use the limit "0"/);
});

test('show tells everything but secrets, by name and by id', async (t) => {
  const { run, json } = shell(t);
  const made = await json('create', 'pump', '--token', 'canary-token');
  const shown = await json('show', String(made['id']));
  const { createdAt, credentials, ...rest } = shown;
  assert.deepEqual(rest, {
    id: made['id'],
    name: 'pump',
    profile: 'default',
    label: '',
    enabled: true,
    gateway: false,
  });
  const [credential, ...others] = credentials as { createdAt: string }[];
  assert.deepEqual(others, []);
  const apartMs = Date.parse(credential?.createdAt ?? '') - Date.parse(String(createdAt));
  assert.ok(apartMs >= 0 && apartMs < 10_000, `${apartMs} ms`);
  assert.deepEqual(credential, { ...credential, kind: 'access_token', notAfter: null });
  const text = await run('show', 'pump');
  assert.ok(text.startsWith(`name      pump\nid        ${made['id']}\nprofile   default\n`), text);
  assert.match(text, /\nlogin {5}access token, since \S+Z\n$/);
  assert.ok(!text.includes('canary') && !JSON.stringify(shown).includes('canary'));
});

test('enable, disable and delete take several names and tell of each', async (t) => {
  const { run, json, fails } = shell(t);
  for (const name of ['a', 'b', 'c']) await run('create', name);
  assert.equal(await run('disable', 'a', 'b'), 'Disabled device a.\nDisabled device b.\n');
  assert.equal((await json('show', 'b'))['enabled'], false);
  assert.equal((await json('enable', 'b'))['enabled'], true);
  assert.match(await fails(2, 'delete', 'a', 'x', 'b'), /^SLUICE_DEVICE_UNKNOWN: .*"x"/);
  const { id } = await json('show', 'c');
  assert.deepEqual(await json('delete', 'c'), { id, name: 'c', deleted: true });
  assert.equal(await run('list'), '0 of 0 devices\n');
});

test('a token is shown and rotated', async (t) => {
  const { run, json, fails } = shell(t);
  const { id } = await json('create', 'pump', '--token', 'first');
  assert.equal(await run('token', 'show', 'pump'), 'first\n');
  assert.deepEqual(await json('token', 'show', 'pump'), {
    id,
    name: 'pump',
    token: 'first',
    notAfter: null,
  });
  assert.equal(await run('token', 'rotate', 'pump', '--token', 'second'), 'second\n');
  const rotated = await json('token', 'rotate', 'pump', '--grace', '10m');
  assert.match(String(rotated['token']), /^[A-Za-z0-9]{20}$/);
  const credentials = (await json('show', 'pump'))['credentials'] as { notAfter: unknown }[];
  assert.deepEqual(
    credentials.map(({ notAfter }) => notAfter),
    [rotated['previousUntil'], null],
  );
  assert.match(await run('token', 'rotate', 'pump', '--grace', '1d'), /^\w{20}\nTokens before it/);
  for (const grace of ['10', '10x', '-1m', 'm', '366d', '1.5h']) {
    const message = await fails(2, 'token', 'rotate', 'pump', `--grace=${grace}`);
    assert.match(message, /SLUICE_ARGUMENT_INVALID: cannot use the duration/);
  }
});
