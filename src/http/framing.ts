/** What is read of a request's header: a loop over name and value, names in lower case. */
export interface HeaderSource {
  forEach(visit: (name: string, value: string) => void): void;
}

/**
 * @hot Reads the headers that matter in one pass, and finds what the engine lets through: headers
 * that decide where a body ends must be there once and mean one thing, or two parties on the way
 * would cut the byte stream at different places (RFC 9112 §6.3, §11.2).
 *
 * One instance serves all requests: its fields hold until the next `read`.
 */
export class Framing {
  /** Why the request must be refused and its connection ended; empty when it is sound. */
  flaw: string;
  /** Content-Length; -1 when absent, NaN when it is no number (the engine refuses that itself). */
  contentLength: number;
  chunked: boolean;
  /** As sent; empty when absent. */
  contentType: string;
  contentEncoding: string;
  #lengths: number;
  #emptyLength: boolean;
  #hosts: number;
  #transferEncodings: number;
  readonly #visit: (name: string, value: string) => void;

  constructor() {
    this.flaw = '';
    this.contentLength = -1;
    this.chunked = false;
    this.contentType = '';
    this.contentEncoding = '';
    this.#lengths = 0;
    this.#emptyLength = false;
    this.#hosts = 0;
    this.#transferEncodings = 0;
    this.#visit = (name, value) => this.#take(name, value);
  }

  read(source: HeaderSource): void {
    this.flaw = '';
    this.contentLength = -1;
    this.chunked = false;
    this.contentType = '';
    this.contentEncoding = '';
    this.#lengths = 0;
    this.#emptyLength = false;
    this.#hosts = 0;
    this.#transferEncodings = 0;
    source.forEach(this.#visit);
    if (this.#lengths > 1) this.flaw = 'more than one Content-Length';
    else if (this.#emptyLength) this.flaw = 'Content-Length is empty';
    else if (this.#hosts > 1) this.flaw = 'more than one Host';
    else if (this.#transferEncodings > 0) this.#checkTransferEncoding();
  }

  /** True when the request announces a body, be it an empty one. */
  get hasBody(): boolean {
    return this.#lengths > 0 || this.chunked;
  }

  #take(name: string, value: string): void {
    // The length of the name tells most headers apart without comparing their text.
    switch (name.length) {
      case 4:
        if (name === 'host') this.#hosts += 1;
        break;
      case 12:
        if (name === 'content-type') this.contentType = value;
        break;
      case 14:
        if (name === 'content-length') this.#takeLength(value);
        break;
      case 16:
        if (name === 'content-encoding') this.#takeEncoding(value);
        break;
      case 17:
        if (name === 'transfer-encoding') {
          this.#transferEncodings += 1;
          this.chunked = value === 'chunked' || value.toLowerCase() === 'chunked';
        }
        break;
    }
  }

  #takeLength(value: string): void {
    this.#lengths += 1;
    this.#emptyLength = value === '';
    this.contentLength = Number(value);
  }

  /** Two headers are one list (RFC 9110 §5.3). */
  #takeEncoding(value: string): void {
    this.contentEncoding =
      this.contentEncoding === '' ? value : `${this.contentEncoding}, ${value}`;
  }

  #checkTransferEncoding(): void {
    if (this.#lengths > 0) this.flaw = 'both Content-Length and Transfer-Encoding';
    else if (this.#transferEncodings > 1) this.flaw = 'more than one Transfer-Encoding';
    else if (!this.chunked) this.flaw = 'Transfer-Encoding must be chunked';
  }
}
