import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connected, type MqttHarness, startMqtt } from '../support/mqtt.js';
import { packet, text, type Version, versions } from '../support/mqtt-bytes.js';

// SUBSCRIBE and UNSUBSCRIBE, byte by byte.

let mqtt: MqttHarness;

before(async () => {
  mqtt = await startMqtt();
  mqtt.addDevice('gateway', { gateway: true });
});
after(async () => {
  await mqtt.stop();
});

/** A SUBSCRIBE with the identifier 10 and filters given as `[filter, options]`. */
function subscribe(version: Version, filters: readonly (readonly [string, string])[]): string {
  const body = filters.map(([filter, options]) => text(filter) + options).join('');
  return packet('82', `000a ${version === 5 ? '00' : ''} ${body}`);
}

function suback(version: Version, five: string, three: string): string {
  return packet('90', version === 5 ? `000a 00 ${five}` : `000a ${three}`);
}

test('granted is the smaller of what is asked and 1', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send(
      subscribe(version, [
        ['v1/devices/me/attributes', '00'],
        ['v1/devices/me/rpc/request/+', '01'],
        ['v2/r/req/17', '02'],
        ['#', '01'],
        ['v1/devices/me/#', '00'],
      ]),
    );
    assert.equal(await client.packet(), suback(version, '00 01 01 01 00', '00 01 01 01 00'));
    client.destroy();
  }
});

test('filters that can match none, shared ones, and gateway topics', async () => {
  for (const version of versions) {
    const filters = [
      ['v1/devices/me/telemetry', '00'],
      ['v1/gateway/rpc', '01'],
      ['a/#/b', '00'],
      ['$share/g/v1/devices/me/attributes', '01'],
      ['v2/a', '01'],
    ] as const;
    const client = await connected(mqtt, version);
    client.send(subscribe(version, filters));
    assert.equal(await client.packet(), suback(version, '8f 8f 8f 9e 01', '80 80 80 80 01'));
    await client.ping();
    const gateway = await connected(mqtt, version, 'g', 'gateway');
    gateway.send(subscribe(version, filters));
    assert.equal(await gateway.packet(), suback(version, '8f 01 8f 9e 01', '80 01 80 80 01'));
    client.destroy();
    gateway.destroy();
  }
});

test('5.0 subscription options are taken, whatever they say', async () => {
  const client = await connected(mqtt, 5);
  client.send(subscribe(5, [['v2/a', '2d']]));
  assert.equal(await client.packet(), suback(5, '01', ''));
  client.destroy();
});

test('a session holds 16 subscriptions; the same filter again is not one more', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    const filters = Array.from({ length: 18 }, (_, index) => [`v2/r/res/${index}`, '01'] as const);
    client.send(subscribe(version, filters));
    const granted = '01'.repeat(16);
    assert.equal(await client.packet(), suback(version, `${granted}9797`, `${granted}8080`));
    client.send(subscribe(version, [['v2/r/res/3', '00']]));
    assert.equal(await client.packet(), suback(version, '00', '00'));
    client.destroy();
  }
});

test('UNSUBSCRIBE', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send(subscribe(version, [['v2/a/#', '01']]));
    await client.packet();
    const unsubscribe = packet(
      'a2',
      `000b ${version === 5 ? '00' : ''} ${text('v2/a/#')} ${text('v2/a/j')}`,
    );
    client.send(unsubscribe);
    assert.equal(await client.packet(), version === 5 ? 'b005000b000011' : 'b002000b');
    client.send(unsubscribe);
    assert.equal(await client.packet(), version === 5 ? 'b005000b001111' : 'b002000b');
    client.destroy();
  }
});

test('too many filters in one packet', async () => {
  for (const version of versions) {
    const client = await connected(mqtt, version);
    client.send(
      subscribe(
        version,
        Array.from({ length: 65 }, () => ['v2/a', '00'] as const),
      ),
    );
    assert.equal(await client.rest(), version === 5 ? 'e00197' : '');
  }
});
