import { connect, createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import { limits } from '../core/limits.js';

/** One read of `length` bytes; `buffer` and `view` are only valid during the call. */
export type OnBytes = (socket: Socket, buffer: Buffer, view: DataView, length: number) => void;

/** A server whose accepted sockets can be made by us; internal to Node, so every use is guarded. */
interface ServerHandle {
  onconnection: ((error: number, handle: unknown) => void) | null;
}

/**
 * Reads all sockets into one static buffer, instead of a fresh 64 KiB slab per read.
 *
 * Node offers this (`onread`) for client sockets only. An accepted socket gets it when it is built
 * from the handle that the server's internal `onconnection` is given; the read callback is called
 * with the socket as `this`, so no closure per connection is needed. All sockets can share a buffer
 * because libuv fills it and calls back before the next read. Since this is internal, `worksHere`
 * tries it over loopback at start, and `acceptPlainly` reads through `data` events where it fails.
 */
export function acceptShared(
  server: Server,
  onSocket: (socket: Socket) => void,
  onBytes: OnBytes,
): boolean {
  const handle = (server as unknown as { _handle: ServerHandle | null | undefined })._handle;
  if (handle === null || handle === undefined || typeof handle.onconnection !== 'function') {
    return false;
  }
  const buffer = Buffer.allocUnsafeSlow(limits.readBufferBytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  // `this` is the socket: part of what the self-test asserts.
  function callback(this: unknown, length: number): boolean {
    onBytes(this as Socket, buffer, view, length);
    return true;
  }
  const onread = { buffer, callback };
  handle.onconnection = (error, accepted): void => {
    if (error !== 0 || accepted === undefined || accepted === null) return;
    onSocket(new Socket({ handle: accepted, onread } as SocketConstructorOpts));
  };
  return true;
}

/** The documented way: a `data` event per read, each with a buffer of its own. */
export function acceptPlainly(
  server: Server,
  onSocket: (socket: Socket) => void,
  onBytes: OnBytes,
): void {
  server.on('connection', (socket: Socket) => {
    socket.on('data', (chunk: Buffer) => {
      const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      onBytes(socket, chunk, view, chunk.length);
    });
    onSocket(socket);
  });
}

const selfTestMs = 2_000;

/**
 * Tries the shared buffer over loopback: two sockets, bytes in both, a pause that holds, a resume
 * that goes on. Resolves false, never rejects, when anything is not as we need it.
 */
export function sharedReadWorks(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    const sockets: Socket[] = [];
    let settled = false;
    const finish = (works: boolean): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve(works));
    };
    const timer = setTimeout(() => finish(false), selfTestMs);
    server.on('error', () => finish(false));
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') finish(false);
      else tryShared(server, address.port, sockets, finish);
    });
  });
}

function tryShared(
  server: Server,
  port: number,
  sockets: Socket[],
  finish: (works: boolean) => void,
): void {
  const track = (socket: Socket): void => {
    sockets.push(socket);
    socket.on('error', () => finish(false));
  };
  let paused = false;
  let text = '';
  const client = connect(port, '127.0.0.1', () => client.write('one'));
  const onBytes: OnBytes = (socket, buffer, _view, length) => {
    if (!(socket instanceof Socket) || paused) return finish(false);
    text += buffer.toString('latin1', 0, length);
    if (text === 'onetwo') return finish(true);
    paused = true;
    socket.pause();
    client.write('two');
    setTimeout(() => {
      paused = false;
      socket.resume();
    }, 20);
  };
  track(client);
  if (!acceptShared(server, track, onBytes)) finish(false);
}
