import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runIn } from '../../support/run-program.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-cli-program-'));
after(() => rmSync(directory, { recursive: true }));

const run = (...argv: string[]) => runIn(directory, argv);

test('wrong usage is one line with a code, and exit code 2', async () => {
  const check = async (argv: string[], line: string): Promise<void> => {
    assert.deepEqual(await run(...argv), { code: 2, stdout: '', stderr: `${line}\n` });
  };
  const see = 'See --help of the command.';
  await check(
    ['strat'],
    `SLUICE_ARGUMENT_INVALID: unknown command 'strat' (Did you mean start?). ${see}`,
  );
  await check(
    ['start', '--data-dri', 'x'],
    `SLUICE_ARGUMENT_INVALID: unknown option '--data-dri'. ${see}`,
  );
  await check(['sql'], `SLUICE_ARGUMENT_INVALID: missing required argument 'statement'. ${see}`);
  await check(
    ['config', 'check', 'more'],
    "SLUICE_ARGUMENT_INVALID: too many arguments for 'check'. " +
      `Expected 0 arguments but got 1. ${see}`,
  );
});

test('with --json a failure is one object on standard error', async () => {
  const { code, stdout, stderr } = await run('strat', '--json');
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.deepEqual(JSON.parse(stderr), {
    code: 'SLUICE_ARGUMENT_INVALID',
    message: "unknown command 'strat' (Did you mean start?)",
    remedy: 'See --help of the command.',
  });
});

test('help and version go to standard output', async () => {
  const help = await run('--help');
  assert.equal(help.code, 0);
  for (const word of ['start', 'device', 'publish', 'sql', 'config', 'journal', '--data-dir']) {
    assert.ok(help.stdout.includes(word), word);
  }
  const sql = await run('sql', '--help');
  assert.equal(sql.code, 0);
  assert.ok(sql.stdout.includes('--json'));
  assert.ok(sql.stdout.includes('--config FILE'));
  const { code, stdout } = await run('--version');
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('no command shows the help and exits with 2', async () => {
  const { code, stderr } = await run();
  assert.equal(code, 2);
  assert.match(stderr, /^Usage: sluice/);
});
