import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type Command, Option } from 'commander';
import { messageOf, NodeError } from '../core/errors.js';
import { readNodeFile } from '../registry/data-dir.js';
import { findDevice } from './device-find.js';
import { MqttPublisher } from './mqtt-publisher.js';
import type { ProgramContext } from './program-context.js';

const deadlineMs = 10_000;
const answerCharactersMax = 2_000;

interface PublishOptions {
  readonly device?: string;
  readonly token?: string;
  readonly protocol?: 'mqtt' | 'http';
  readonly attributes?: boolean;
  readonly topic?: string;
  readonly url?: string;
}

/** Where a message goes. */
interface Target {
  readonly protocol: 'mqtt' | 'http';
  readonly host: string;
  readonly port: number;
}

interface Message {
  readonly token: string;
  readonly topic: string;
  readonly attributes: boolean;
  readonly payload: Buffer;
}

/** Tells that a phase has ended; the time since the one before is its duration. */
type PhaseEnd = (name: string) => void;

export function registerPublishCommand(program: Command, context: ProgramContext): void {
  program
    .command('publish')
    .description('send one test message to the running node and time each phase')
    .argument('[payload]', 'the message', '{"sluice_test":1}')
    .option('--device <name>', 'publish as this device of the registry')
    .option('--token <token>', 'publish with this access token')
    .addOption(new Option('--protocol <name>', 'default: mqtt').choices(['mqtt', 'http']))
    .option('--attributes', 'send client attributes instead of telemetry')
    .option('--topic <topic>', 'MQTT topic name instead of the usual one')
    .option('--url <url>', 'mqtt://HOST:PORT or http://HOST:PORT instead of the node on --data-dir')
    .action((payload: string, options: PublishOptions) => publish(context, payload, options));
}

async function publish(
  context: ProgramContext,
  payload: string,
  options: PublishOptions,
): Promise<void> {
  const target = await findTarget(context, options);
  if (target.protocol === 'http' && options.topic !== undefined) {
    throw unusable('--topic is for MQTT', 'Add --protocol mqtt, or leave it out.');
  }
  const attributes = options.attributes === true;
  const usual = attributes ? 'v1/devices/me/attributes' : 'v1/devices/me/telemetry';
  const message = {
    token: await findToken(context, options),
    topic: options.topic ?? usual,
    attributes,
    payload: Buffer.from(payload, 'utf8'),
  };

  const phases: [name: string, ms: number][] = [];
  let since = context.clock.monotonic();
  await send(target, message, (name) => {
    const now = context.clock.monotonic();
    phases.push([name, now - since]);
    since = now;
  });
  printPhases(context, target, phases);
}

function printPhases(
  context: ProgramContext,
  { protocol, host, port }: Target,
  phases: readonly [string, number][],
): void {
  if (context.json) {
    const times = phases.map(([name, ms]) => [`${name}Ms`, Number(ms.toFixed(3))]);
    context.out.json({ protocol, host, port, ...Object.fromEntries(times) });
    return;
  }
  context.out.line(`acknowledged over ${protocol.toUpperCase()} by ${host}:${port}`);
  for (const [name, ms] of phases) {
    context.out.line(`  ${name.padEnd(12)}  ${ms.toFixed(1).padStart(7)} ms`);
  }
}

async function findTarget(context: ProgramContext, options: PublishOptions): Promise<Target> {
  if (options.url !== undefined) return targetOf(options.url, options.protocol);
  const protocol = options.protocol ?? 'mqtt';
  const dataDir = context.dataDir();
  const node = await readNodeFile(dataDir);
  const port = node?.ports[protocol];
  if (port === undefined) {
    throw new NodeError(
      'SLUICE_NODE_NOT_RUNNING',
      `cannot publish: no node runs on ${dataDir}`,
      'Start it with `sluice start`, name its --data-dir, or give --url.',
    );
  }
  const host = node?.hosts[protocol] ?? '127.0.0.1';
  return { protocol, host: ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host, port };
}

function targetOf(text: string, wanted: Target['protocol'] | undefined): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const protocol = url?.protocol.slice(0, -1);
  if (url === undefined || (protocol !== 'mqtt' && protocol !== 'http')) {
    throw unusable(`${text} is no address`, 'Write mqtt://HOST:PORT or http://HOST:PORT.');
  }
  if (wanted !== undefined && wanted !== protocol) {
    throw unusable(`--protocol ${wanted} and ${text} differ`, 'Leave out --protocol.');
  }
  const usual = protocol === 'mqtt' ? 1883 : 80;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { protocol, host, port: url.port === '' ? usual : Number(url.port) };
}

async function findToken(context: ProgramContext, options: PublishOptions): Promise<string> {
  const { device: name, token } = options;
  if ((name === undefined) === (token === undefined)) {
    throw unusable('cannot tell who publishes', 'Give --device NAME or --token TOKEN.');
  }
  if (name === undefined) return token ?? '';
  const registry = await context.openRegistry();
  try {
    const device = await findDevice(registry, name);
    const access = await registry.readToken(device.id);
    if (access !== undefined) return access.token;
    throw unusable(`${name} has no access token`, 'Make one: `sluice device token rotate NAME`.');
  } finally {
    await registry.close();
  }
}

async function send(target: Target, message: Message, ended: PhaseEnd): Promise<void> {
  const socket = connect(target.port, target.host);
  socket.setTimeout(deadlineMs, () => {
    const text = `cannot publish: no answer within ${deadlineMs / 1000} s`;
    socket.destroy(new NodeError('SLUICE_PUBLISH_FAILED', text, 'The log of the node may tell.'));
  });
  try {
    await once(socket, 'connect');
    socket.setNoDelay(true);
    ended('connect');
    if (target.protocol === 'mqtt') await sendMqtt(socket, message, ended);
    else await sendHttp(socket, target, message, ended);
  } catch (thrown) {
    if (thrown instanceof NodeError) throw thrown;
    const text = `cannot publish to ${target.host}:${target.port}: ${messageOf(thrown)}`;
    const remedy = 'Check that the node runs there.';
    throw new NodeError('SLUICE_PUBLISH_FAILED', text, remedy, thrown);
  } finally {
    socket.destroySoon();
  }
}

async function sendMqtt(socket: Socket, message: Message, ended: PhaseEnd): Promise<void> {
  const publisher = new MqttPublisher(socket);
  await publisher.connect(message.token);
  ended('authenticate');
  await publisher.publish(message.topic, message.payload);
  ended('publish');
  publisher.disconnect();
}

async function sendHttp(
  socket: Socket,
  { host, port }: Target,
  message: Message,
  ended: PhaseEnd,
): Promise<void> {
  const kind = message.attributes ? 'attributes' : 'telemetry';
  const outgoing = request({
    createConnection: () => socket,
    host,
    port,
    method: 'POST',
    path: `/api/v1/${encodeURIComponent(message.token)}/${kind}`,
    headers: { 'content-type': 'application/json', connection: 'close' },
  });
  outgoing.end(message.payload);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let answer = '';
  for await (const chunk of response.setEncoding('utf8')) {
    if (answer.length < answerCharactersMax) answer += chunk;
  }
  if (response.statusCode !== 200) {
    const text = `cannot publish: the node answered ${response.statusCode} ${answer}`.trim();
    throw new NodeError('SLUICE_PUBLISH_FAILED', text);
  }
  ended('publish');
}

function unusable(message: string, remedy: string): NodeError {
  return new NodeError('SLUICE_ARGUMENT_INVALID', message, remedy);
}
