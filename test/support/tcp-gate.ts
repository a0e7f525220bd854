import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A TCP relay on loopback that can be shut: a server behind it is then out of reach, as when the
 * network between breaks. Open connections are cut.
 */
export class TcpGate {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #shut: boolean;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#sockets = new Set();
    this.#shut = false;
    this.#server = createServer((client) => this.#relay(client));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  shut(): void {
    this.#shut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#shut = false;
  }

  async close(): Promise<void> {
    this.shut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #relay(client: Socket): void {
    if (this.#shut) {
      client.destroy();
      return;
    }
    const target = connect(this.#targetPort, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
