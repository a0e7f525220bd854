import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConnect } from '../../../src/mqtt/check-connect.js';
import { hex, packet, text } from '../../support/mqtt-bytes.js';

const malformed = 0x81;
const protocolError = 0x82;
const unsupported = 0x84;
const quota = 0x97;

/** `digits` without a space after the first byte and the length, which `packet` adds. */
function check(digits: string, version: number, problem: number): void {
  const bytes = hex(digits);
  const headerBytes = (bytes[1] ?? 0) < 0x80 ? 2 : 3;
  assert.deepEqual(checkConnect(bytes, headerBytes), { version, problem }, digits);
}

const mqtt = text('MQTT');
const id = text('id');

test('protocol name and level', () => {
  check(packet('10', `${text('MQIsdp')} 03 02 003c ${id}`), 3, 0);
  check(packet('10', `${mqtt} 04 02 003c ${id}`), 4, 0);
  check(packet('10', `${mqtt} 05 02 003c 00 ${id}`), 5, 0);
  // Other levels are refused in the words of the nearest version.
  check(packet('10', `${mqtt} 03 02 003c ${id}`), 4, unsupported);
  check(packet('10', `${mqtt} 06 02 003c 00 ${id}`), 5, unsupported);
  check(packet('10', `${mqtt} 84 02 003c ${id}`), 4, unsupported);
  check(packet('10', `${text('MQIsdp')} 04 02 003c ${id}`), 4, unsupported);
  // Not MQTT at all: no answer.
  check(packet('10', `${text('HTTP')} 04 02 003c ${id}`), 0, malformed);
  check(packet('10', '0004 4d51'), 0, malformed);
  check(packet('10', '0002 ffff 04'), 0, malformed);
  check(packet('10', ''), 0, malformed);
});

test('flags', () => {
  for (const [level, properties] of [
    ['04', ''],
    ['05', '00'],
  ]) {
    const version = Number(level);
    const head = `${mqtt} ${level}`;
    check(packet('11', `${head} 02 0000 ${properties} ${id}`), version, malformed);
    check(packet('10', `${head} 03 0000 ${properties} ${id}`), version, malformed); // reserved
    check(packet('10', `${head} 0a 0000 ${properties} ${id}`), version, malformed); // will QoS
    check(packet('10', `${head} 22 0000 ${properties} ${id}`), version, malformed); // will retain
    const will = `${properties} ${text('t')} ${text('p')}`;
    check(packet('10', `${head} 06 0000 ${properties} ${id} ${will}`), version, 0);
    check(packet('10', `${head} 36 0000 ${properties} ${id} ${will}`), version, 0);
    check(packet('10', `${head} 1e 0000 ${properties} ${id} ${will}`), version, malformed); // QoS 3
    check(
      packet('10', `${head} c2 0000 ${properties} ${id} ${text('u')} ${text('p')}`),
      version,
      0,
    );
  }
  // A password without a user name: since 5.0.
  check(packet('10', `${mqtt} 04 42 0000 ${id} ${text('p')}`), 4, malformed);
  check(packet('10', `${mqtt} 05 42 0000 00 ${id} ${text('p')}`), 5, 0);
});

test('payload: what is missing, too much, or not text', () => {
  const head = `${mqtt} 04`;
  check(packet('10', `${head} 02 00`), 4, malformed);
  check(packet('10', `${head} 02 0000`), 4, malformed);
  check(packet('10', `${head} 02 0000 ${id} 00`), 4, malformed);
  check(packet('10', `${head} 82 0000 ${id}`), 4, malformed);
  check(packet('10', `${head} 06 0000 ${id} ${text('t')}`), 4, malformed);
  check(packet('10', `${head} 06 0000 ${id} ${text('t/#')} ${text('p')}`), 4, malformed);
  check(packet('10', `${head} 06 0000 ${id} ${text('')} ${text('p')}`), 4, malformed);
  check(packet('10', `${head} 02 0000 0001 ff`), 4, malformed);
  check(packet('10', `${head} 02 0000 0001 00`), 4, malformed);
  check(packet('10', `${head} 82 0000 ${id} 0003 eda080`), 4, malformed);
  // A password is binary.
  check(packet('10', `${head} c2 0000 ${id} ${text('u')} 0002 ff00`), 4, 0);
});

test('properties of CONNECT and of the will', () => {
  const connect = (properties: string): string => {
    const compact = properties.replaceAll(/\s+/g, '');
    const length = (compact.length / 2).toString(16).padStart(2, '0');
    return packet('10', `${mqtt} 05 02 0000 ${length} ${compact} ${id}`);
  };
  check(connect('11 00000e10'), 5, 0);
  check(connect('21 0001'), 5, 0);
  check(connect('21 0000'), 5, protocolError); // Receive Maximum 0
  check(connect('27 00000001'), 5, 0);
  check(connect('27 00000000'), 5, protocolError); // Maximum Packet Size 0
  check(connect('22 0000'), 5, 0);
  check(connect('19 01 17 00'), 5, 0);
  check(connect('19 02'), 5, protocolError);
  check(connect('17 02'), 5, protocolError);
  check(connect(`15 ${text('SCRAM')} 16 0001 00`), 5, 0);
  check(connect('11 00000e10 11 00000e10'), 5, protocolError);
  check(connect('01 01'), 5, malformed);
  const pair = `26 ${text('k')} ${text('v')}`;
  check(packet('10', `${mqtt} 05 02 0000 e701 ${pair.repeat(33)} ${id}`), 5, quota);
  const will = (properties: string): string => {
    const compact = properties.replaceAll(/\s+/g, '');
    const length = (compact.length / 2).toString(16).padStart(2, '0');
    const rest = `${length} ${compact} ${text('t')} ${text('p')}`;
    return packet('10', `${mqtt} 05 06 0000 00 ${id} ${rest}`);
  };
  check(will('18 0000000a'), 5, 0);
  check(will(`01 01 02 00000001 03 ${text('json')} 08 ${text('r')} 09 0001 00`), 5, 0);
  check(will('11 00000001'), 5, malformed);
});
