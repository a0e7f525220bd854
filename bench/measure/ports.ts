import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A free port of 127.0.0.1 outside the range from which the kernel takes client ports (32768 and
 * above): a server there could find its port taken by one of the sender's own connections.
 */
const lowest = 20_000;
const highest = 32_000;
const triesMax = 200;

export async function freePort(): Promise<number> {
  for (let tried = 0; tried < triesMax; tried++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${lowest} and ${highest} in ${triesMax} tries`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
