import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, waitForPort } from '../measure/child.js';
import { freePort } from '../measure/ports.js';
import { removeFolder, temporaryFolder } from '../measure/temporary-folder.js';
import { type Server, serverCore } from './server.js';

/**
 * Debian's mosquitto: the peer for MQTT. Everything stays in memory and nobody subscribes, so it
 * parses, matches and drops. No limit of its own is in the way of the sender's windows.
 */
export async function startMosquitto(): Promise<Server> {
  const folder = temporaryFolder('mosquitto');
  chmodSync(folder, 0o755); // started by root, it reads its configuration as another user
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'max_connections -1',
    'set_tcp_nodelay true',
    'sys_interval 0',
    'connection_messages false',
    'log_dest none',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const child = new Child('mosquitto', ['-c', file], { core: serverCore });
  await waitForPort(port, child, 10_000);
  return {
    name: 'mosquitto',
    mqttPort: port,
    httpPort: 0,
    watch: { server: [child.pid] },
    async stop() {
      await child.stop();
      removeFolder(folder);
    },
  };
}
