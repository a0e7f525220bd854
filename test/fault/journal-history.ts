/**
 * One random life of a journal against a model that is too simple to be wrong: a list of what was
 * appended and what was acknowledged, and a map from segment name to the bytes ClickHouse got.
 */
import assert from 'node:assert/strict';
import type { NodeError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import type { Metrics } from '../../src/core/metrics.js';
import type { ClosedSegment } from '../../src/journal/closed-segment.js';
import { Journal } from '../../src/journal/journal.js';
import type { JournalOptions } from '../../src/journal/options.js';
import { type JournalRecord, RecordKind } from '../../src/journal/record.js';
import { FaultFs } from '../support/fault-fs.js';
import type { Random } from '../support/random.js';
import { settled, VirtualTime } from '../unit/journal/virtual-time.js';

const kinds = [RecordKind.telemetry, RecordKind.attributes, RecordKind.rejected];
const nameBytes = 20;
const diskBytes = 256 * 1024;

interface Appended {
  /** Payloads with 20 dots where the name goes. */
  readonly payloads: { kind: RecordKind; bytes: Buffer; nameAt: number }[];
  /** Which opening of the journal it was handed to. */
  readonly life: number;
  answer: 'none' | 'durable' | NodeError['code'];
}

export class History {
  readonly #random: Random;
  readonly #metrics: Metrics;
  readonly #options: JournalOptions;
  readonly #appended: Appended[];
  /** What was read of a segment the first time: it must never read differently. */
  readonly #seen: Map<string, string>;
  /** Segments that ClickHouse has, with the appends found in them, in order. */
  readonly #stored: Map<string, number[]>;
  #fs: FaultFs;
  #time: VirtualTime;
  #journal: Journal | undefined;
  #held: ClosedSegment[];
  #steps: string[];
  #life: number;

  constructor(random: Random, metrics: Metrics, options: JournalOptions) {
    this.#random = random;
    this.#metrics = metrics;
    this.#options = options;
    this.#appended = [];
    this.#seen = new Map();
    this.#stored = new Map();
    this.#fs = new FaultFs(() => random.next(), diskBytes);
    this.#time = new VirtualTime();
    this.#journal = undefined;
    this.#held = [];
    this.#steps = [];
    this.#life = 0;
  }

  /** What happened, for the message of a failure. */
  get steps(): readonly string[] {
    return this.#steps;
  }

  get acknowledged(): number {
    return this.#appended.filter(({ answer }) => answer === 'durable').length;
  }

  async run(): Promise<void> {
    await this.#open();
    for (let steps = this.#random.between(10, 40); steps > 0; steps -= 1) await this.#step();
    await this.#finish();
    this.#check();
  }

  async #step(): Promise<void> {
    const dice = this.#random.between(1, 100);
    if (dice <= 45) this.#append();
    else if (dice <= 60) await this.#someTurns();
    else if (dice <= 68) await this.#note('time passes', () => this.#time.advance(300));
    else if (dice <= 82) await this.#note('ship', () => this.#ship(this.#random.next() < 0.8));
    else if (dice <= 86) await this.#note('power lost', () => this.#reopen(this.#fs.losePower()));
    else if (dice <= 88) await this.#note('killed', () => this.#reopen(this.#fs.killProcess()));
    else if (dice <= 90) await this.#note('restart', () => this.#restart());
    else await this.#note('fault', () => this.#injectFault());
  }

  async #note(step: string, action: () => Promise<unknown>): Promise<void> {
    this.#steps.push(step);
    await action();
  }

  #append(): void {
    const number = this.#appended.length;
    const appended: Appended = { payloads: [], life: this.#life, answer: 'none' };
    this.#appended.push(appended);
    const records: JournalRecord[] = [];
    const count = this.#random.next() < 0.05 ? 0 : this.#random.between(1, 3);
    for (let index = 0; index < count; index += 1) {
      const large = this.#random.next() < 0.02;
      const length = large ? 10_000 : this.#random.between(48, 1_500);
      const bytes = Buffer.alloc(length, `${number}.${index} `);
      const nameAt = this.#random.next() < 0.7 ? this.#random.between(12, length - nameBytes) : -1;
      if (nameAt >= 0) bytes.fill('.', nameAt, nameAt + nameBytes);
      const kind = kinds[this.#random.between(0, kinds.length - 1)] ?? RecordKind.telemetry;
      appended.payloads.push({ kind, bytes: Buffer.from(bytes), nameAt });
      records.push({ kind, rows: index + 1, bytes, segmentNameAt: nameAt });
    }
    this.#steps.push(`append ${number} (${records.map(({ bytes }) => bytes.length)})`);
    this.#journal?.append(records, (error) => {
      assert.equal(appended.answer, 'none', `append ${number} is answered once`);
      appended.answer = error === undefined ? 'durable' : error.code;
      this.#steps.push(`${number}: ${appended.answer}`);
    });
  }

  async #someTurns(): Promise<void> {
    for (let turns = this.#random.between(1, 40); turns > 0; turns -= 1) await undefined;
  }

  async #injectFault(): Promise<void> {
    const fs = this.#fs;
    const dice = this.#random.between(1, 6);
    if (dice === 1) fs.othersBytes = this.#random.between(0, diskBytes);
    else if (dice === 2) fs.othersBytes = 0;
    else if (dice === 3) fs.fault = () => undefined;
    else {
      const operations = ['write', 'sync', 'rename', 'unlink', 'syncDirectory', 'open'];
      const operation = operations[this.#random.between(0, operations.length - 1)];
      let left = dice === 4 ? 1 : this.#random.between(1, 6);
      this.#steps.push(`${operation} fails ${left} times`);
      fs.fault = (attempted) => {
        if (attempted !== operation || left === 0) return undefined;
        left -= 1;
        return 'EIO';
      };
    }
  }

  async #open(): Promise<void> {
    this.#time = new VirtualTime();
    const options = { ...this.#options, fs: this.#fs, timers: this.#time };
    this.#journal = await Journal.open(this.#time, silentLogger, this.#metrics, options);
    this.#held = [];
    this.#life += 1;
  }

  async #reopen(fs: FaultFs): Promise<void> {
    this.#fs = fs;
    await this.#open();
  }

  async #restart(): Promise<void> {
    this.#fs.fault = () => undefined;
    await this.#journal?.close();
    this.#assertAnswered();
    await this.#open();
  }

  /** Takes a segment if there is one, "inserts" it, and releases it or keeps it a while. */
  async #ship(releaseIt: boolean): Promise<boolean> {
    const journal = this.#journal;
    if (journal === undefined) return false;
    const giveUp = new AbortController();
    let segment: ClosedSegment | undefined;
    const taken = journal.nextClosed(giveUp.signal).then((found) => {
      segment = found;
    });
    await this.#time.advance(2_500);
    giveUp.abort();
    await taken;
    if (segment === undefined) return false;
    await this.#insert(segment);
    if (!releaseIt) {
      this.#held.push(segment);
      return true;
    }
    const oldest = this.#random.next() < 0.5 ? this.#held.shift() : undefined;
    if (oldest !== undefined) await journal.release(oldest);
    await journal.release(segment);
    return true;
  }

  /** What ClickHouse does with a token: the first bytes count, and later ones must be the same. */
  async #insert(segment: ClosedSegment): Promise<void> {
    const parts: Buffer[] = [];
    const numbers: number[] = [];
    for (const kind of kinds) {
      for await (const payload of segment.records(kind)) {
        parts.push(Buffer.from([kind]), Buffer.from(payload));
        numbers.push(this.#identify(kind, Buffer.from(payload), segment.name));
      }
      const whole: Uint8Array[] = [];
      for await (const piece of segment.payload(kind)) whole.push(piece);
      assert.equal(Buffer.concat(whole).length, segment.payloadBytes(kind));
    }
    const bytes = Buffer.concat(parts).toString('latin1');
    const before = this.#seen.get(segment.name);
    if (before !== undefined) assert.equal(bytes, before, `${segment.name} reads as before`);
    this.#seen.set(segment.name, bytes);
    this.#stored.set(segment.name, numbers);
    this.#steps.push(`stored ${segment.name}: ${numbers}`);
  }

  /** The append a payload belongs to; it must be one of ours, bit by bit. */
  #identify(kind: RecordKind, payload: Buffer, segmentName: string): number {
    const [, numberText, indexText] =
      /^(\d+)\.(\d+) /.exec(payload.toString('latin1', 0, 12)) ?? [];
    const number = Number(numberText);
    const original = this.#appended[number]?.payloads[Number(indexText)];
    assert.ok(original !== undefined, 'what is read was appended');
    const expected = Buffer.from(original.bytes);
    if (original.nameAt >= 0) expected.write(segmentName, original.nameAt, 'latin1');
    assert.equal(kind, original.kind);
    assert.ok(expected.equals(payload), `append ${number} is read as it was written`);
    return number;
  }

  /** The disk works again; everything that is left is shipped. */
  async #finish(): Promise<void> {
    this.#fs.fault = () => undefined;
    this.#fs.othersBytes = 0;
    const ending = this.#random.between(1, 3);
    this.#steps.push(`end ${ending}`);
    if (ending === 1) await this.#reopen(this.#fs.losePower());
    if (ending === 2) await this.#restart();
    await this.#time.advance(10_000);
    assert.deepEqual(this.#journal?.ready(), { ready: true, reason: undefined });
    while (await this.#ship(true)) await settled();
    this.#assertAnswered();
    await this.#journal?.close();
  }

  /** A journal that had time answered everything that it was handed. */
  #assertAnswered(): void {
    for (const { life, answer } of this.#appended) {
      if (life === this.#life) assert.notEqual(answer, 'none', 'every append is answered');
    }
  }

  #check(): void {
    const found = new Map<number, number>();
    for (const numbers of this.#stored.values()) {
      for (const number of numbers) found.set(number, (found.get(number) ?? 0) + 1);
    }
    this.#appended.forEach(({ payloads, answer }, number) => {
      const count = found.get(number) ?? 0;
      if (answer === 'durable')
        assert.equal(count, payloads.length, `append ${number} is stored once`);
      else assert.ok(count <= payloads.length, `append ${number} is stored at most once`);
    });
  }
}
