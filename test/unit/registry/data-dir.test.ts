import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type NodeFile, openDataDirectory, readNodeFile } from '../../../src/registry/data-dir.js';
import { RegistryProcess, temporaryFolder } from '../../support/registry.js';
import { refuses } from './contract-test.js';

const node: NodeFile = {
  pid: process.pid,
  version: '0.1.0',
  ports: { mqtt: 1883, http: 8080 },
  hosts: { mqtt: '0.0.0.0', http: '0.0.0.0' },
  startedAt: 1_700_000_000_000,
};

test('a data directory is made for its owner alone', async (t) => {
  const path = join(temporaryFolder(t), 'a', 'b');
  const directory = await openDataDirectory(path);
  t.after(() => directory.close());
  assert.equal(directory.path, path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, 'node.lock')).mode & 0o777, 0o600);
});

test('the node file is there while the node runs', async (t) => {
  const path = temporaryFolder(t);
  assert.equal(await readNodeFile(path), undefined);
  const directory = await openDataDirectory(path);
  assert.equal(await readNodeFile(path), undefined);
  directory.writeNodeFile(node);
  assert.deepEqual(await readNodeFile(path), node);
  assert.equal(statSync(join(path, 'node.json')).mode & 0o777, 0o600);
  const moved = { ...node, ports: { mqtt: 1 } };
  directory.writeNodeFile(moved);
  assert.deepEqual(JSON.parse(readFileSync(join(path, 'node.json'), 'utf8')), moved);
  directory.close();
  assert.equal(await readNodeFile(path), undefined);
  assert.equal(existsSync(join(path, 'node.json')), false);
});

test('a node file that was left behind says nothing', async (t) => {
  const path = temporaryFolder(t);
  const check = async (text: string): Promise<void> => {
    writeFileSync(join(path, 'node.json'), text);
    assert.equal(await readNodeFile(path), undefined, text);
  };
  // This process lives, but holds no lock: the number has gone to another program.
  await check(JSON.stringify(node));
  (await openDataDirectory(path)).close();
  await check(JSON.stringify(node));
  await check('{"pid":');
  await check('[]');
  await check('{"pid":1}');
});

test('a locked data directory is refused and names the process', async (t) => {
  const path = temporaryFolder(t);
  const first = await openDataDirectory(path);
  await refuses(openDataDirectory(path), 'SLUICE_DATA_LOCKED', /another node has it/);
  first.writeNodeFile(node);
  const who = new RegExp(`cannot use data directory ${path}: .* process id ${process.pid} has it`);
  await refuses(openDataDirectory(path), 'SLUICE_DATA_LOCKED', who);
  assert.deepEqual(await readNodeFile(path), node);
  first.close();
  (await openDataDirectory(path)).close();
});

test('kill -9 of the holder frees the lock', async (t) => {
  const path = temporaryFolder(t);
  const holder = new RegistryProcess(t, path, 'lock');
  await holder.says('ready');
  assert.equal((await readNodeFile(path))?.pid, holder.pid);
  const who = new RegExp(`process id ${holder.pid} has it`);
  await refuses(openDataDirectory(path), 'SLUICE_DATA_LOCKED', who);
  await holder.kill();
  assert.equal(existsSync(join(path, 'node.json')), true);
  assert.equal(await readNodeFile(path), undefined);
  const directory = await openDataDirectory(path);
  assert.equal(existsSync(join(path, 'node.json')), false);
  directory.close();
});

test('a path that cannot be a directory is refused with a remedy', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await refuses(openDataDirectory(file), 'SLUICE_DATA_UNUSABLE', /file: /);
  await refuses(openDataDirectory(join(file, 'below')), 'SLUICE_DATA_UNUSABLE', /below: /);
  const other = join(folder, 'other');
  mkdirSync(join(other, 'node.lock'), { recursive: true });
  await refuses(openDataDirectory(other), 'SLUICE_DATA_UNUSABLE', /other: /);
});
