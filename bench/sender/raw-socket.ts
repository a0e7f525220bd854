/**
 * A TCP client socket of the load sender, straight on Node's own TCP handle.
 *
 * `net.Socket` costs several microseconds of JavaScript per small write and per connection. A
 * sender built on it is slower than the servers it shall load, so this file goes one layer below.
 * It uses `process.binding`, which is not a public interface: it belongs in a measuring tool and
 * must never be imported by the node itself. Tried on Node 20.
 */
interface WriteRequest {
  oncomplete(status: number): void;
  buffer: Uint8Array | undefined;
}

interface ConnectRequest {
  oncomplete(status: number): void;
}

interface TcpHandle {
  owner: RawSocket | undefined;
  onread: (this: TcpHandle) => void;
  connect(request: ConnectRequest, address: string, port: number): number;
  setNoDelay(on: boolean): number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  close(closed?: () => void): void;
}

interface Bindings {
  tcp_wrap: {
    TCP: new (kind: number) => TcpHandle;
    TCPConnectWrap: new () => ConnectRequest;
    constants: { SOCKET: number };
  };
  stream_wrap: {
    WriteWrap: new () => WriteRequest;
    kReadBytesOrError: number;
    kLastWriteWasAsync: number;
    streamBaseState: Int32Array;
  };
}

const binding = (process as unknown as { binding<K extends keyof Bindings>(name: K): Bindings[K] })
  .binding;
const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap');
const { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } =
  binding('stream_wrap');

const readBufferBytes = 256 * 1024;

/** All sockets read into this one buffer; its content is valid during `onData` only. */
export const readBuffer = Buffer.allocUnsafeSlow(readBufferBytes);

/** Who is told what happens on a socket. */
export interface SocketListener {
  onConnected(): void;
  /** `length` bytes lie at the beginning of `readBuffer`. */
  onData(length: number): void;
  /** Called once, when the peer closes or an error ends the socket; `code` is libuv's, 0 = end. */
  onClosed(code: number): void;
}

const endOfFile = -4095;

function nothing(): void {}

function handleRead(this: TcpHandle): void {
  const socket = this.owner;
  if (socket === undefined) return;
  const count = streamBaseState[kReadBytesOrError]!;
  if (count > 0) socket.listener.onData(count);
  else if (count < 0) socket.fail(count === endOfFile ? 0 : count);
}

export class RawSocket {
  readonly listener: SocketListener;
  private readonly handle: TcpHandle;
  private request: WriteRequest;
  private open = true;
  private writing = 0;

  constructor(listener: SocketListener) {
    this.listener = listener;
    this.handle = new TCP(constants.SOCKET);
    this.handle.owner = this;
    this.handle.onread = handleRead;
    this.request = new WriteWrap();
  }

  /** Connects to 127.0.0.1. */
  connect(port: number): void {
    const request = new TCPConnectWrap();
    request.oncomplete = (status) => {
      if (!this.open) return;
      if (status !== 0) {
        this.fail(status);
        return;
      }
      this.handle.setNoDelay(true);
      this.handle.useUserBuffer(readBuffer);
      this.handle.readStart();
      this.listener.onConnected();
    };
    const status = this.handle.connect(request, '127.0.0.1', port);
    if (status !== 0) setImmediate(() => this.fail(status));
  }

  /** Hands the bytes to the kernel; they must not change before the peer has answered them. */
  write(bytes: Uint8Array): void {
    if (!this.open) return;
    const request = this.request;
    request.buffer = bytes;
    const status = this.handle.writeBuffer(request, bytes);
    if (status !== 0) {
      this.fail(status);
      return;
    }
    // The kernel took everything: the request was not used and serves the next write.
    if (streamBaseState[kLastWriteWasAsync] === 0) return;
    this.writing += 1;
    request.oncomplete = (later) => {
      this.writing -= 1;
      if (later !== 0) this.fail(later);
    };
    this.request = new WriteWrap();
  }

  /** True while the kernel has not taken all bytes of earlier writes. */
  get congested(): boolean {
    return this.writing > 0;
  }

  /** Ends the connection without a word to the listener. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.handle.owner = undefined;
    this.handle.close(nothing);
  }

  fail(code: number): void {
    if (!this.open) return;
    this.close();
    this.listener.onClosed(code);
  }
}
