import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPacket } from '../../../src/mqtt/check.js';
import { hex, packet, text } from '../../support/mqtt-bytes.js';

// Packets of a connected client, byte by byte, against the reason codes of MQTT 5.0 §2.4.

const malformed = 0x81;
const protocolError = 0x82;
const quota = 0x97;

function check(version: number, digits: string, expected: number): void {
  const bytes = hex(digits);
  let headerBytes = 2;
  while ((bytes[headerBytes - 1] ?? 0) >= 0x80) headerBytes += 1;
  const found = checkPacket(bytes, headerBytes, version);
  assert.equal(found, expected, `${version}: ${digits}`);
}

const all = [3, 4, 5];
function checkAll(digits: string, expected: number): void {
  for (const version of all) check(version, digits, expected);
}

test('PUBLISH in 3.x: topic name, packet identifier, flags', () => {
  for (const version of [3, 4]) {
    check(version, packet('30', text('a')), 0);
    check(version, packet('31', `${text('a')} 7b7d`), 0);
    check(version, packet('32', `${text('a')} 0001`), 0);
    check(version, packet('3a', `${text('a')} ffff 7b7d`), 0);
    check(version, packet('34', `${text('a')} 0001`), 0);
    check(version, packet('30', text('')), malformed); // [MQTT-4.7.3-1]
  }
});

test('PUBLISH in 5.0: properties follow, an empty topic name may stand for an alias', () => {
  check(5, packet('30', `${text('a')} 00`), 0);
  check(5, packet('30', `${text('')} 03 23 0001`), 0);
  check(5, packet('30', text('a')), malformed);
  check(5, packet('32', `${text('a')} 0001`), malformed);
});

test('PUBLISH that no version allows', () => {
  const tail = '00';
  checkAll(packet('36', `${text('a')} 0001 ${tail}`), malformed); // QoS 3 [MQTT-3.3.1-4]
  checkAll(packet('38', `${text('a')} ${tail}`), malformed); // DUP at QoS 0 [MQTT-3.3.1-2]
  checkAll(packet('32', `${text('a')} 0000 ${tail}`), malformed); // [MQTT-2.2.1-3]
  checkAll(packet('30', `${text('a/+')} ${tail}`), malformed); // [MQTT-3.3.2-2]
  checkAll(packet('30', `${text('a/#')} ${tail}`), malformed);
  checkAll(packet('30', `0003 61 00 62 ${tail}`), malformed); // U+0000 [MQTT-1.5.4-2]
  checkAll(packet('30', `0003 eda080 ${tail}`), malformed); // surrogate [MQTT-1.5.4-1]
  checkAll(packet('30', `0002 c080 ${tail}`), malformed); // overlong
  checkAll(packet('30', `0001 ff ${tail}`), malformed);
  checkAll(packet('30', '00'), malformed);
  checkAll(packet('30', '0005 61'), malformed);
  checkAll(packet('32', '0001 61 00'), malformed);
});

test('properties of PUBLISH: each, twice, misplaced, unknown, out of range', () => {
  const publish = (properties: string): string => {
    const compact = properties.replaceAll(/\s+/g, '');
    const length = (compact.length / 2).toString(16).padStart(2, '0');
    return packet('30', `${text('a')} ${length} ${compact} 7b7d`);
  };
  check(5, publish('01 00'), 0);
  check(5, publish('01 01'), 0);
  check(5, publish('01 02'), protocolError);
  check(5, publish('01 01 01 01'), protocolError);
  check(5, publish('02 00000001'), 0);
  check(5, publish(`03 ${text('json')}`), 0);
  check(5, publish(`08 ${text('answer/here')}`), 0);
  check(5, publish(`08 ${text('answer/#')}`), malformed);
  check(5, publish('09 0003 000102'), 0);
  check(5, publish('23 0001'), 0);
  check(5, publish(`26 ${text('k')} ${text('v')} 26 ${text('k')} ${text('v')}`), 0);
  check(5, publish(`26 ${text('k')}`), malformed);
  check(5, publish('0b 01'), 0); // Refused with its own words in publish.ts.
  check(5, publish('0b 00'), protocolError);
  check(5, publish('11 00000001'), malformed); // Session Expiry Interval has no place here.
  check(5, publish('24 01'), malformed); // Maximum QoS is the server's.
  check(5, publish('7f 01'), malformed);
  check(5, publish('00 01'), malformed);
  check(5, publish('02 0000'), malformed);
  check(5, publish(`03 0005 6a`), malformed);
  check(5, publish('03 0001 ff'), malformed);
  const pair = `26 ${text('k')} ${text('v')}`;
  check(5, publish(pair.repeat(14)), 0);
  // 33 pairs are 231 bytes: a property length of two bytes.
  check(5, packet('30', `${text('a')} e701 ${pair.repeat(33)}`), quota);
  check(5, packet('30', `${text('a')} e001 ${pair.repeat(32)}`), 0);
  check(5, packet('30', `${text('a')} 05 01 01`), malformed); // Length beyond the packet.
  check(5, packet('30', `${text('a')} 01 01 01`), malformed); // A value across the length.
  check(5, packet('30', `${text('a')} 8080808001`), malformed); // Five bytes.
  check(5, packet('30', `${text('a')} 8000`), malformed); // [MQTT-1.5.5-1]
});

test('PUBACK, PUBREC, PUBREL, PUBCOMP', () => {
  for (const first of ['40', '50', '62', '70']) {
    checkAll(packet(first, '0001'), 0);
    checkAll(packet(first, '0000'), malformed);
    checkAll(packet(first, '00'), malformed);
    checkAll(packet(first, ''), malformed);
    check(5, packet(first, '0001 00'), 0);
    check(5, packet(first, '0001 00 00'), 0);
    check(5, packet(first, `0001 00 04 1f ${text('x')}`), 0);
    check(5, packet(first, `0001 00 08 1f ${text('x')} 1f ${text('x')}`), protocolError);
    check(5, packet(first, '0001 00 02 01 01'), malformed);
    check(5, packet(first, '0001 00 00 00'), malformed);
    check(4, packet(first, '0001 00'), malformed);
  }
  for (const first of ['41', '52', '60', '63', '72']) checkAll(packet(first, '0001'), malformed);
});

test('SUBSCRIBE', () => {
  for (const version of [3, 4]) {
    check(version, packet('82', `0001 ${text('a')} 00`), 0);
    check(version, packet('82', `0001 ${text('a')} 02 ${text('b/#')} 01`), 0);
    check(version, packet('82', `0001 ${text('a')} 04`), malformed); // [MQTT-3.8.3-4]
    check(version, packet('82', '0001'), protocolError); // [MQTT-3.8.3-3]
  }
  check(5, packet('82', `0001 00 ${text('a')} 2d`), 0);
  check(5, packet('82', `0001 02 0b01 ${text('a')} 00`), 0);
  check(5, packet('82', `0001 00 ${text('a')} 30`), protocolError); // Retain Handling 3
  check(5, packet('82', `0001 00 ${text('a')} 40`), malformed); // [MQTT-3.8.3-5]
  check(5, packet('82', '0001 00'), protocolError);
  check(5, packet('82', `0001 02 0101 ${text('a')} 00`), malformed);
  for (const version of all) {
    const properties = version === 5 ? '00' : '';
    check(version, packet('82', `0000 ${properties} ${text('a')} 00`), malformed);
    check(version, packet('82', `0001 ${properties} ${text('a')} 03`), malformed);
    check(version, packet('82', `0001 ${properties} ${text('a')}`), malformed);
    check(version, packet('82', `0001 ${properties} ${text('')} 00`), malformed);
    check(version, packet('82', `0001 ${properties} 0001 ff 00`), malformed);
    check(version, packet('80', `0001 ${properties} ${text('a')} 00`), malformed);
    const filter = `${text('a')} 00`;
    check(version, packet('82', `0001 ${properties} ${filter.repeat(64)}`), 0);
    check(version, packet('82', `0001 ${properties} ${filter.repeat(65)}`), quota);
  }
});

test('UNSUBSCRIBE', () => {
  for (const version of all) {
    const properties = version === 5 ? '00' : '';
    check(version, packet('a2', `0001 ${properties} ${text('a')} ${text('b')}`), 0);
    check(version, packet('a2', `0001 ${properties}`), protocolError); // [MQTT-3.10.3-2]
    check(version, packet('a2', `0000 ${properties} ${text('a')}`), malformed);
    check(version, packet('a2', `0001 ${properties} ${text('')}`), malformed);
    check(version, packet('a2', `0001 ${properties} 0002 61`), malformed);
    check(version, packet('a0', `0001 ${properties} ${text('a')}`), malformed);
    check(version, packet('a2', `0001 ${properties} ${text('a').repeat(65)}`), quota);
  }
});

test('PINGREQ, DISCONNECT, AUTH', () => {
  checkAll('c000', 0);
  checkAll('c100', malformed);
  checkAll('c00100', malformed);
  checkAll('e000', 0);
  checkAll('e100', malformed);
  check(4, 'e00100', malformed);
  check(5, 'e00100', 0);
  check(5, 'e0020400', 0);
  check(5, packet('e0', '00 05 11 00000000'), 0);
  check(5, packet('e0', '00 05 21 00000000'), malformed);
  check(5, packet('e0', '00 00 00'), malformed);
  check(5, 'f000', 0);
  check(5, packet('f0', `18 06 15 ${text('abc')}`), 0);
  check(5, packet('f0', '18 03 01 01'), malformed);
  check(4, 'f000', malformed);
});

test('a remaining length with more bytes than it needs: 5.0 forbids it', () => {
  check(5, 'c08000', malformed);
  check(5, `308600${text('a')}00`.replace('8600', '8400'), malformed);
  check(4, 'c08000', 0);
  check(3, `308300${text('a')}`, 0);
});

test('what only a server sends, a second CONNECT, and type 0', () => {
  checkAll('20020000', protocolError);
  checkAll('9003000100', protocolError);
  checkAll('b0020001', protocolError);
  checkAll('d000', protocolError);
  checkAll(packet('10', `${text('MQTT')} 04 02 0000 ${text('x')}`), protocolError);
  checkAll('0000', malformed);
});
