import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newDeviceId } from '../../../src/core/ids.js';
import { MessageRates, TokenBucket } from '../../../src/device/message-rate.js';

test('a bucket starts full, drains and refills with time', () => {
  const bucket = new TokenBucket(100, 10, 0);
  assert.equal(bucket.available(0), 10);
  bucket.spend(10);
  assert.equal(bucket.available(0), 0);
  assert.equal(bucket.available(9), 0);
  assert.equal(bucket.available(10), 1);
  assert.equal(bucket.available(55), 5);
  assert.equal(bucket.available(10_000), 10);
  // A clock that stands still or goes back gives nothing.
  bucket.spend(10);
  assert.equal(bucket.available(5_000), 0);
});

test('over a long time the rate is exact', () => {
  const bucket = new TokenBucket(100, 5, 0);
  let taken = 0;
  for (let now = 0; now <= 10_000; now += 7) {
    const available = bucket.available(now);
    bucket.spend(available);
    taken += available;
  }
  assert.ok(taken >= 1000 && taken <= 1005, String(taken));
});

test('the sessions of a device share its bucket, and it outlives them', () => {
  const rates = new MessageRates(10, 0);
  const id = newDeviceId();
  const bucket = rates.of(id, 0);
  assert.ok(bucket !== undefined);
  // Burst 0 is one second's worth.
  assert.equal(bucket.available(0), 10);
  bucket.spend(10);
  assert.equal(rates.of(id, 1)?.available(1), 0);
  assert.equal(rates.of(newDeviceId(), 1)?.available(1), 10);
});

test('no limit, no bucket', () => {
  assert.equal(new MessageRates(0, 100).of(newDeviceId(), 0), undefined);
});

test('how long one message has to wait', () => {
  const bucket = new TokenBucket(10, 20, 1000);
  bucket.spend(20);
  assert.equal(bucket.waitMs(1000), 100);
  assert.equal(bucket.waitMs(1050), 50);
  assert.equal(bucket.waitMs(1100), 0);
  assert.equal(new TokenBucket(10, 20, 0).waitMs(0), 0);
});
