/**
 * Who waits for a message's outcome: an MQTT connection, the HTTP requests, a CoAP endpoint.
 *
 * `ref` is the origin's own number for the message (a packet identifier, a slot). `settle` is
 * called once per accepted or rejected message, in the order the messages were added, from the main
 * thread; it must not throw and must not write to a socket: writes happen in `flush`, once per
 * batch.
 */
export interface Origin {
  /** `offset` is the byte of the payload that is at fault, or -1. */
  settle(ref: number, outcome: number, offset: number): void;
}
