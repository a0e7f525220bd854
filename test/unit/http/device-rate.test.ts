import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeviceId, newDeviceId } from '../../../src/core/ids.js';
import { limits } from '../../../src/core/limits.js';
import { DeviceRate } from '../../../src/http/device-rate.js';

test('a burst, then the rate', () => {
  const rate = new DeviceRate(10, 20);
  const device = newDeviceId();
  for (let index = 0; index < 20; index++) assert.equal(rate.take(device, 1000), 0);
  assert.equal(rate.take(device, 1000), 100);
  assert.equal(rate.take(device, 1050), 50);
  assert.equal(rate.take(device, 1100), 0);
  assert.equal(rate.take(device, 1100), 100);
  assert.equal(rate.take(newDeviceId(), 1100), 0);
});

test('the burst is at least one second’s worth, and one message', () => {
  const check = (perSecond: number, burst: number, atOnce: number): void => {
    const rate = new DeviceRate(perSecond, burst);
    const device = newDeviceId();
    let passed = 0;
    while (rate.take(device, 0) === 0) passed += 1;
    assert.equal(passed, atOnce);
  };
  check(10, 0, 10);
  check(10, 15, 15);
  check(0.1, 0, 1);
});

test('over a minute no more passes than burst and rate allow', () => {
  const rate = new DeviceRate(7, 30);
  const device = newDeviceId();
  let passed = 0;
  for (let now = 0; now <= 60_000; now += 3) if (rate.take(device, now) === 0) passed += 1;
  assert.equal(passed, 30 + 7 * 60);
});

test('what is full again is forgotten, and the number of devices is bounded', () => {
  const rate = new DeviceRate(10, 10);
  const idle = newDeviceId();
  const busy = newDeviceId();
  rate.take(idle, 0);
  for (let index = 0; index < 10; index++) rate.take(busy, 0);
  rate.sweep(100);
  assert.equal(rate.size, 1);
  rate.sweep(1000);
  assert.equal(rate.size, 0);
  for (let index = 0; index < limits.httpRatedDevicesMax + 10; index++) {
    rate.take(`device ${index}` as DeviceId, 0);
  }
  assert.equal(rate.size, limits.httpRatedDevicesMax);
});
