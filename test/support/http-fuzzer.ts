import net from 'node:net';
import { type FuzzBody, fuzzBody, mutate } from './http-mutations.js';
import type { Random } from './random.js';

/** What all connections of a fuzz run have seen. */
export interface FuzzTally {
  bodies: number;
  /** Answers to fuzzed bodies, by status code. */
  readonly answers: Map<number, number>;
  /** Connections that the server ended. */
  ended: number;
  /** Bodies whose answer never came because the connection ended or stood still. */
  unanswered: number;
  /** Offences against what must hold, as sentences. */
  readonly offences: string[];
}

/** A request mutated as a whole may leave the engine waiting for more; nobody waits with it. */
const mutatedPatienceMs = 30;
const patienceMs = 10_000;
const offencesMax = 5;

/** What one write holds, and which codes its answers may have, one entry per answer. */
interface Shot {
  readonly bytes: Buffer;
  readonly expected: ReadonlyArray<ReadonlySet<number> | undefined>;
  /** The connection may end instead, and is not used any more afterwards. */
  readonly mayEnd: boolean;
  readonly patienceMs: number;
}

const codes = (...values: number[]): ReadonlySet<number> => new Set(values);
const judged = codes(200, 400);
const anyOfThem = codes(200, 400, 413);

/**
 * One connection after the other, each with many shots: a shot is written when the answers to the
 * one before are complete. Most shots are one request; some are several in one write, some are
 * chunked, some are mutated from their first byte on.
 */
export class HttpFuzzer {
  readonly #port: number;
  readonly #random: Random;
  readonly #token: string;
  readonly #tally: FuzzTally;
  readonly #bodiesMax: number;

  constructor(port: number, random: Random, token: string, tally: FuzzTally, bodiesMax: number) {
    this.#port = port;
    this.#random = random;
    this.#token = token;
    this.#tally = tally;
    this.#bodiesMax = bodiesMax;
  }

  /** Resolves when all connections together have sent `bodiesMax` bodies, or when all is lost. */
  async run(): Promise<void> {
    while (!this.#done()) await this.#useConnection();
  }

  #done(): boolean {
    return this.#tally.bodies >= this.#bodiesMax || this.#tally.offences.length >= offencesMax;
  }

  async #useConnection(): Promise<void> {
    const socket = net.connect(this.#port, '127.0.0.1');
    socket.setNoDelay(true);
    await new Promise<void>((resolve) => {
      let shot: Shot | undefined;
      let received = '';
      let timer: NodeJS.Timeout | undefined;
      const fire = (): void => {
        clearTimeout(timer);
        if (this.#done()) {
          shot = undefined;
          socket.destroy();
          return;
        }
        shot = this.#load();
        socket.write(shot.bytes);
        timer = setTimeout(() => socket.destroy(), shot.patienceMs);
      };
      socket.on('connect', fire);
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        if (shot === undefined) return;
        const answered = takeAnswers(received, shot.expected.length);
        if (answered === undefined) return;
        received = received.slice(answered.length);
        this.#judge(shot, answered.codes);
        if (!shot.mayEnd) {
          fire();
          return;
        }
        shot = undefined;
        socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        clearTimeout(timer);
        if (shot !== undefined) this.#judgeEnd(shot, received);
        resolve();
      });
    });
  }

  #load(): Shot {
    const random = this.#random;
    const body = fuzzBody(random);
    this.#tally.bodies += 1;
    const expected = body.plainJson ? (isJson(body.bytes) ? judged : codes(400)) : anyOfThem;
    const request = this.#request(body, this.#token, false);
    const shot = { bytes: request, expected: [expected], mayEnd: false, patienceMs };
    switch (random.between(0, 39)) {
      case 0:
        return { ...shot, bytes: this.#request(body, this.#token, true), mayEnd: true };
      case 1: {
        const bytes = mutate(random, request);
        return { bytes, expected: [undefined], mayEnd: true, patienceMs: mutatedPatienceMs };
      }
      case 2:
        // Two that both wait for the disk: the engine ends the connection.
        return { ...shot, bytes: Buffer.concat([request, request]), mayEnd: true };
      case 3:
      case 4: {
        const refused = this.#request(body, 'nobody', false);
        const bytes = Buffer.concat([refused, refused, request]);
        return { ...shot, bytes, expected: [codes(401), codes(401), expected] };
      }
      default:
        return shot;
    }
  }

  #request({ bytes, headers, path }: FuzzBody, token: string, chunked: boolean): Buffer {
    const line = `POST /api/v1/${token}/${path} HTTP/1.1\r\nHost: a\r\n${headers}`;
    if (!chunked) {
      return Buffer.concat([Buffer.from(`${line}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
    }
    const pieces: Buffer[] = [Buffer.from(`${line}Transfer-Encoding: chunked\r\n\r\n`)];
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + this.#random.between(1, 100));
      pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
      at += piece.length;
    }
    return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
  }

  #judge(shot: Shot, answered: readonly number[]): void {
    for (const [index, code] of answered.entries()) {
      const allowed = shot.expected[index];
      if (allowed !== undefined && !allowed.has(code)) {
        this.#offend(`${code} instead of ${[...allowed]}`, shot);
      }
    }
    const last = answered.at(-1) ?? 0;
    this.#tally.answers.set(last, (this.#tally.answers.get(last) ?? 0) + 1);
  }

  #judgeEnd(shot: Shot, received: string): void {
    this.#tally.ended += 1;
    this.#tally.unanswered += 1;
    if (!shot.mayEnd) this.#offend(`the connection ended after ${JSON.stringify(received)}`, shot);
  }

  #offend(what: string, shot: Shot): void {
    if (this.#tally.offences.length < offencesMax) {
      this.#tally.offences.push(`${what} for ${JSON.stringify(shot.bytes.toString('latin1'))}`);
    }
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

/** The status codes of the first `count` answers, and their length in `text`, once complete. */
function takeAnswers(text: string, count: number): { codes: number[]; length: number } | undefined {
  const found: number[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) return undefined;
    const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(at, end));
    found.push(Number(text.slice(at + 9, at + 12)));
    at = end + 4 + Number(length?.[1] ?? 0);
    if (text.length < at) return undefined;
  }
  return { codes: found, length: at };
}
