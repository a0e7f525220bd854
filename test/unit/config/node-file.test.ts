import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readNodeFile, removeNodeFile, writeNodeFile } from '../../../src/config/node-file.js';

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-node-file-'));
after(() => rmSync(dataDir, { recursive: true }));

const running = {
  pid: process.pid,
  version: '1.2.3',
  startedAt: 1_700_000_000_000,
  ports: { mqtt: 1883, http: 8080, metrics: 9090, clickhouse: 8123 },
  hosts: { mqtt: '0.0.0.0', http: '0.0.0.0', metrics: '127.0.0.1', clickhouse: '127.0.0.1' },
};

test('what a running node wrote is read back', () => {
  writeNodeFile(dataDir, running);
  assert.deepEqual(readNodeFile(dataDir), running);
  assert.deepEqual(readdirSync(dataDir), ['node.json']);
  removeNodeFile(dataDir);
  removeNodeFile(dataDir);
  assert.equal(readNodeFile(dataDir), undefined);
});

test('a file left by a killed node, or by something else, is no node', () => {
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  writeNodeFile(dataDir, { ...running, pid: ended });
  assert.equal(readNodeFile(dataDir), undefined);
  writeFileSync(join(dataDir, 'node.json'), '{"pid":');
  assert.equal(readNodeFile(dataDir), undefined);
  writeFileSync(join(dataDir, 'node.json'), '{"pid":1}');
  assert.equal(readNodeFile(dataDir), undefined);
});
