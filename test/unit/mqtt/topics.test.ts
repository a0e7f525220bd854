import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Subscriptions } from '../../../src/mqtt/subscriptions.js';
import { downlinkTopics, matchDownlinks, routePublish } from '../../../src/mqtt/topics.js';
import { MessageKind } from '../../../src/normalise/batch-layout.js';

test('publish topics', () => {
  const check = (topic: string, expected: number | 'gateway' | 'unknown'): void => {
    const route = routePublish(topic);
    assert.equal(route.kind === 'message' ? route.messageKind : route.kind, expected, topic);
  };
  check('v1/devices/me/telemetry', MessageKind.telemetryJson);
  check('v1/devices/me/attributes', MessageKind.attributesJson);
  check('v2/t', MessageKind.telemetryJson);
  check('v2/t/j', MessageKind.telemetryJson);
  check('v2/t/m', MessageKind.telemetryMsgpack);
  check('v2/a', MessageKind.attributesJson);
  check('v2/a/j', MessageKind.attributesJson);
  check('v2/a/m', MessageKind.attributesMsgpack);
  check('v1/gateway/telemetry', 'gateway');
  check('v1/gateway/anything', 'gateway');
  check('v1/gateway', 'unknown');
  check('v1/devices/me/telemetry/', 'unknown');
  check('V1/devices/me/telemetry', 'unknown');
  check('/v1/devices/me/telemetry', 'unknown');
  check('v2/t/p', 'unknown');
  check('$SYS/broker', 'unknown');
  check('__proto__', 'unknown');
  check('constructor', 'unknown');
});

/** The topics that a filter can match, as text. */
function matched(filter: string, gateway = false): string[] {
  const bits = matchDownlinks(filter, gateway);
  return downlinkTopics
    .filter((_, index) => (bits & (1 << index)) !== 0)
    .map(({ levels }) => levels.join('/'));
}

test('topic filters are matched against the downlink topics', () => {
  const check = (filter: string, expected: string[], gateway = false): void => {
    assert.deepEqual(matched(filter, gateway), expected, filter);
  };
  check('v1/devices/me/attributes', ['v1/devices/me/attributes']);
  check('v2/a/+', ['v2/a/j', 'v2/a/p']);
  check('v1/devices/me/rpc/request/+', ['v1/devices/me/rpc/request/+']);
  check('v1/devices/me/rpc/request/#', ['v1/devices/me/rpc/request/+']);
  check('v1/devices/me/rpc/request/17', ['v1/devices/me/rpc/request/+']);
  check('v1/devices/me/rpc/+/+', ['v1/devices/me/rpc/request/+', 'v1/devices/me/rpc/response/+']);
  check('v2/r/req/+', ['v2/r/req/+']);
  check('v2/r/req/#', ['v2/r/req/+', 'v2/r/req/j/+', 'v2/r/req/p/+']);
  check('v2/fw/response/+/chunk/+', ['v2/fw/response/+/chunk/+']);
  check('v2/fw/response/3/chunk/+', ['v2/fw/response/+/chunk/+']);
  check('v2/+/error', ['v2/fw/error', 'v2/sw/error']);
  // `#` includes the parent level.
  check('v1/devices/me/attributes/#', [
    'v1/devices/me/attributes',
    'v1/devices/me/attributes/response/+',
  ]);
  assert.equal(matched('#').length, 20);
  assert.equal(matched('#', true).length, 24);
  assert.equal(matched('v1/devices/me/#').length, 4);
  assert.equal(matched('+/#').length, 20);
});

test('filters that can match nothing of the device', () => {
  const check = (filter: string): void => assert.deepEqual(matched(filter), [], filter);
  check('v1/devices/me/telemetry');
  check('v1/devices/me/rpc/request');
  check('v1/devices/me/rpc/request/abc');
  check('v1/devices/me/rpc/request/12345678901');
  check('v1/devices/other/attributes');
  check('v2/fw/response/+');
  check('v1/gateway/rpc');
  check('v1/gateway/#');
  check('$share/group/v1/devices/me/attributes');
  check('$SYS/#');
  check('+');
  check('/#');
  check('a/b/c/d/e/f/g/h/#');
  check('x'.repeat(2000));
  // Ill-formed [MQTT-4.7.1-1], [MQTT-4.7.1-2].
  check('v1/#/attributes');
  check('v1/devices/me/attr#');
  check('v1/devices+/me/attributes');
  check('##');
});

test('gateways have topics of their own', () => {
  assert.deepEqual(matched('v1/gateway/rpc', true), ['v1/gateway/rpc']);
  assert.equal(matched('v1/gateway/#', true).length, 4);
});

test('subscriptions remember filter, QoS and form', () => {
  const subscriptions = new Subscriptions();
  const put = (filter: string, qos: 0 | 1): boolean =>
    subscriptions.put({ filter, qos, matches: matchDownlinks(filter, false) });
  put('v2/a/j', 0);
  assert.deepEqual(subscriptions.formsOf('attributes'), [{ form: 'v2json', qos: 0 }]);
  put('v1/devices/me/#', 1);
  assert.deepEqual(subscriptions.formsOf('attributes'), [
    { form: 'v1', qos: 1 },
    { form: 'v2json', qos: 0 },
  ]);
  assert.deepEqual(subscriptions.formsOf('rpcRequest'), [{ form: 'v1', qos: 1 }]);
  assert.deepEqual(subscriptions.formsOf('firmware'), []);
  // The highest granted QoS of those that match [MQTT-3.3.4-2].
  put('v2/a/+', 1);
  assert.deepEqual(subscriptions.formsOf('attributes')[1], { form: 'v2json', qos: 1 });
  // The same filter again replaces [MQTT-3.8.4-3].
  put('v2/a/+', 0);
  assert.equal(subscriptions.size, 3);
  assert.deepEqual(subscriptions.formsOf('attributes')[1], { form: 'v2json', qos: 0 });
  assert.equal(subscriptions.remove('v2/a/+'), true);
  assert.equal(subscriptions.remove('v2/a/+'), false);
  assert.equal(subscriptions.remove('v1/devices/me/+'), false);
  assert.equal(subscriptions.size, 2);
});

test('a session holds at most 16 subscriptions', () => {
  const subscriptions = new Subscriptions();
  for (let index = 0; index < 16; index++) {
    assert.equal(subscriptions.put({ filter: `v2/r/res/${index}`, qos: 0, matches: 1 }), true);
  }
  assert.equal(subscriptions.put({ filter: 'v2/a', qos: 0, matches: 1 }), false);
  assert.equal(subscriptions.put({ filter: 'v2/r/res/3', qos: 1, matches: 1 }), true);
  assert.equal(subscriptions.size, 16);
});
