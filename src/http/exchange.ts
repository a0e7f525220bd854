import type { MessageKind } from '../normalise/batch-layout.js';
import type { Device } from '../registry/device.js';
import type { Body } from './body.js';
import type { HttpResponse } from './server.js';
import type { Answer } from './status.js';

/**
 * @hot One message of a device on its way from the request's header to its answer. All fields exist
 * from the start, so that every exchange has one shape.
 *
 *     receiving ──last piece──► complete ──expanded, device known, room──► in a batch ──► settled
 *         └─ too large, too slow, over budget ─► refused ◄─┘ no memory to wait in
 */
export class Exchange {
  /** Undefined once it was answered or its peer went away. */
  response: HttpResponse | undefined;
  /** Undefined while the registry is asked. */
  device: Device | undefined;
  readonly kind: MessageKind;
  readonly gzip: boolean;
  /** The connection ends with the answer. */
  closes: boolean;
  /** The whole body has arrived. */
  complete: boolean;
  /** Refused or aborted before it was complete: whatever still arrives is dropped. */
  over: boolean;
  /** Memory of its own, for a body that cannot go straight into a batch. */
  body: Body | undefined;
  /** Monotonic milliseconds by which the body must have arrived. */
  deadline: number;
  /** The refusal to be written at the end of this turn of the event loop. */
  refusal: Answer | undefined;
  outcome: number;
  offset: number;

  constructor(
    response: HttpResponse,
    device: Device | undefined,
    kind: MessageKind,
    gzip: boolean,
    closes: boolean,
  ) {
    this.response = response;
    this.device = device;
    this.kind = kind;
    this.gzip = gzip;
    this.closes = closes;
    this.complete = false;
    this.over = false;
    this.body = undefined;
    this.deadline = 0;
    this.refusal = undefined;
    this.outcome = 0;
    this.offset = -1;
  }
}
