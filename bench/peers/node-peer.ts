import { fileURLToPath } from 'node:url';
import { Child, waitForPort } from '../measure/child.js';
import { freePort } from '../measure/ports.js';
import { type Server, serverCore } from './server.js';

/** The peers that are Node programs, each a process of its own beside this file. */
export const nodePeers = Object.freeze({
  aedes: { file: 'aedes-server.js', protocol: 'mqtt' },
  fastify: { file: 'fastify-server.js', protocol: 'http' },
  uws: { file: 'uws-server.js', protocol: 'http' },
});

export async function startNodePeer(name: keyof typeof nodePeers): Promise<Server> {
  const { file, protocol } = nodePeers[name];
  const port = await freePort();
  const program = fileURLToPath(new URL(file, import.meta.url));
  const child = new Child(process.execPath, [program, String(port)], { core: serverCore });
  await waitForPort(port, child, 15_000);
  return {
    name,
    mqttPort: protocol === 'mqtt' ? port : 0,
    httpPort: protocol === 'http' ? port : 0,
    watch: { server: [child.pid] },
    stop: () => child.stop(),
  };
}
