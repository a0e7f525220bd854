import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeviceId, newDeviceId } from '../../../src/core/ids.js';
import { createMetrics } from '../../../src/core/metrics.js';
import { type DeviceSession, Sessions } from '../../../src/device/sessions.js';
import type { Device } from '../../../src/registry/device.js';
import { metricValue } from '../../support/mqtt.js';
import { TestCredentials, testDevice } from '../../support/mqtt-parts.js';

class Session implements DeviceSession {
  readonly protocol: string;
  readonly sessionName: string;
  readonly log: string[];

  constructor(sessionName: string, log: string[], protocol = 'mqtt') {
    this.protocol = protocol;
    this.sessionName = sessionName;
    this.log = log;
  }

  end(reason: string): void {
    this.log.push(`${this.sessionName} ${reason}`);
  }

  deviceChanged(device: Device): void {
    this.log.push(`${this.sessionName} is of ${device.name}`);
  }

  credentialEnded(): void {
    this.log.push(`${this.sessionName} credential ended`);
  }
}

function names(sessions: Sessions, id: DeviceId): string[] {
  return sessions.of(id).map(({ sessionName }) => sessionName);
}

test('a newer session of the same name takes over, of another protocol not', async () => {
  const metrics = createMetrics();
  const sessions = new Sessions(metrics, 8);
  const log: string[] = [];
  const id = newDeviceId();
  sessions.register(id, new Session('a', log));
  sessions.register(id, new Session('b', log));
  sessions.register(id, new Session('a', log, 'coap'));
  assert.deepEqual(log, []);
  sessions.register(id, new Session('a', log));
  assert.deepEqual(log, ['a takenOver']);
  assert.deepEqual(names(sessions, id), ['b', 'a', 'a']);
  sessions.register(newDeviceId(), new Session('a', log));
  assert.equal(log.length, 1);
  assert.equal(sessions.count, 4);
  assert.equal(await metricValue(metrics.sessionTakeovers), 1);
});

test('above the maximum the oldest goes', () => {
  const sessions = new Sessions(createMetrics(), 2);
  const log: string[] = [];
  const id = newDeviceId();
  for (const name of ['a', 'b', 'c', 'd']) sessions.register(id, new Session(name, log));
  assert.deepEqual(log, ['a tooManySessions', 'b tooManySessions']);
  assert.deepEqual(names(sessions, id), ['c', 'd']);
  assert.equal(sessions.count, 2);
});

test('a maximum of one', () => {
  const sessions = new Sessions(createMetrics(), 1);
  const log: string[] = [];
  const id = newDeviceId();
  sessions.register(id, new Session('a', log));
  sessions.register(id, new Session('b', log));
  assert.deepEqual(log, ['a tooManySessions']);
  assert.deepEqual(names(sessions, id), ['b']);
});

test('unregister is forgiving and leaves the others', () => {
  const sessions = new Sessions(createMetrics(), 8);
  const id = newDeviceId();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Session(name, []));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  sessions.unregister(id, a);
  for (const session of [a, b, c]) sessions.register(id, session);
  sessions.unregister(id, b);
  sessions.unregister(id, b);
  assert.deepEqual(names(sessions, id), ['a', 'c']);
  sessions.unregister(id, a);
  assert.deepEqual(names(sessions, id), ['c']);
  sessions.unregister(id, c);
  assert.deepEqual(names(sessions, id), []);
  assert.equal(sessions.count, 0);
});

test('changes of a device reach its sessions', () => {
  const sessions = new Sessions(createMetrics(), 8);
  const credentials = new TestCredentials();
  sessions.follow(credentials);
  const device = testDevice('pump');
  const log: string[] = [];
  const start = (): void => {
    log.length = 0;
    for (const name of ['a', 'b']) sessions.register(device.id, new Session(name, log));
  };
  start();
  credentials.change(device, testDevice('renamed', { id: device.id }), false);
  assert.deepEqual(log, ['a is of renamed', 'b is of renamed']);
  log.length = 0;
  credentials.change(device, device, true);
  assert.deepEqual(log, ['a credential ended', 'b credential ended']);
  assert.equal(sessions.count, 2);
  log.length = 0;
  credentials.change(device, testDevice('pump', { id: device.id, enabled: false }), false);
  assert.deepEqual(log, ['a deviceDisabled', 'b deviceDisabled']);
  assert.equal(sessions.count, 0);
  start();
  credentials.change(device, undefined, true);
  assert.deepEqual(log, ['a deviceDeleted', 'b deviceDeleted']);
  credentials.change(testDevice('other'), undefined, true);
  assert.equal(log.length, 2);
});
