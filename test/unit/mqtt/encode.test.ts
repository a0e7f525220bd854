import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acknowledgementWord,
  encodeAcknowledgement,
  encodeConnack3,
  encodeConnackAccepted,
  encodeConnackRefused,
  encodeDisconnect,
  encodePublish,
  encodeSuback,
  encodeUnsuback,
  pingresp,
} from '../../../src/mqtt/encode.js';
import { PacketType } from '../../../src/mqtt/packet-type.js';

// The expected bytes are written from the tables of MQTT 3.1.1 and 5.0, never by our own decoder.

function check(bytes: Buffer, expected: string): void {
  assert.equal(bytes.toString('hex'), expected.replaceAll(/\s+/g, ''));
}

test('CONNACK', () => {
  check(encodeConnack3(0), '20 02 00 00');
  check(encodeConnack3(5), '20 02 00 05');
  check(encodeConnackRefused(0x87, ''), '20 03 00 87 00');
  check(encodeConnackRefused(0x86, 'no'), '20 08 00 86 05 1f 0002 6e6f');
  const announced = {
    receiveMaximum: 100,
    maximumPacketSize: 262_144,
    topicAliasMaximum: 16,
    serverKeepAliveSeconds: undefined,
    assignedClientIdentifier: undefined,
  };
  check(
    encodeConnackAccepted(announced),
    `20 1b 00 00 18
     11 00000000  21 0064  25 00  27 00040000  22 0010  28 01  29 00  2a 00`,
  );
  check(
    encodeConnackAccepted({
      ...announced,
      serverKeepAliveSeconds: 3600,
      assignedClientIdentifier: 'ab',
    }),
    `20 23 00 00 20
     11 00000000  21 0064  25 00  27 00040000  12 0002 6162  22 0010  28 01  29 00  2a 00  13 0e10`,
  );
});

test('acknowledgements of four bytes', () => {
  assert.equal(acknowledgementWord(PacketType.puback, 1) >>> 0, 0x40020001);
  assert.equal(acknowledgementWord(PacketType.pubrec, 0xffff) >>> 0, 0x5002ffff);
  assert.equal(acknowledgementWord(PacketType.pubrel, 2) >>> 0, 0x62020002);
  assert.equal(acknowledgementWord(PacketType.pubcomp, 3) >>> 0, 0x70020003);
});

test('acknowledgements with a reason code', () => {
  check(encodeAcknowledgement(PacketType.puback, 7, 0x99, ''), '40 03 0007 99');
  check(encodeAcknowledgement(PacketType.pubcomp, 7, 0x92, ''), '70 03 0007 92');
  check(encodeAcknowledgement(PacketType.pubrel, 7, 0x92, ''), '62 03 0007 92');
  check(encodeAcknowledgement(PacketType.pubrec, 7, 0x99, 'é'), '50 09 0007 99 05 1f 0002 c3a9');
});

test('SUBACK and UNSUBACK', () => {
  check(encodeSuback(4, 10, [0, 1, 0x80]), '90 05 000a 00 01 80');
  check(encodeSuback(5, 10, [0x8f, 1]), '90 05 000a 00 8f 01');
  check(encodeUnsuback(4, 10, [0, 0x11]), 'b0 02 000a');
  check(encodeUnsuback(5, 10, [0, 0x11]), 'b0 05 000a 00 00 11');
});

test('PINGRESP and DISCONNECT', () => {
  check(pingresp, 'd0 00');
  check(encodeDisconnect(0x8e, ''), 'e0 01 8e');
  check(encodeDisconnect(0x95, 'big'), 'e0 08 95 06 1f 0003 626967');
});

test('PUBLISH', () => {
  const payload = Buffer.from('{}');
  check(encodePublish(4, 'a/b', payload, 0, 0), '30 07 0003 612f62 7b7d');
  check(encodePublish(4, 'a/b', payload, 1, 258), '32 09 0003 612f62 0102 7b7d');
  check(encodePublish(5, 'a/b', payload, 1, 258), '32 0a 0003 612f62 0102 00 7b7d');
  // A remaining length of two and of three bytes.
  const long = encodePublish(4, 'a', Buffer.alloc(200), 0, 0);
  check(long.subarray(0, 6), '30 cb01 0001 61');
  const longer = encodePublish(4, 'a', Buffer.alloc(16_381), 0, 0);
  check(longer.subarray(0, 7), '30 808001 0001 61');
});
