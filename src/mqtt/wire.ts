/** What a connection writes to: a `net.Socket`, or whatever else carries MQTT. */
export interface Wire {
  /** Bytes accepted by `write` that the system has not taken yet. */
  readonly writableLength: number;
  write(bytes: Uint8Array): unknown;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Has the system probe a silent peer, `initialDelay` milliseconds after its last word. */
  setKeepAlive(enable: boolean, initialDelay: number): unknown;
}
