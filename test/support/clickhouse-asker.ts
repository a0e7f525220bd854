import assert from 'node:assert/strict';
import type { TestClickhouse } from './clickhouse.js';

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

/** Asks a store over plain HTTP, with its account unless the question has headers of its own. */
export class Asker {
  readonly #store: TestClickhouse;

  constructor(store: TestClickhouse) {
    this.#store = store;
  }

  get url(): string {
    return this.#store.embedded.url;
  }

  account(): Record<string, string> {
    const { user, password } = this.#store.embedded;
    return { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password };
  }

  async ask(question: Question): Promise<Asked> {
    const { method = 'POST', body, parameters = {}, path = '/' } = question;
    const url = `${this.url}${path}?${new URLSearchParams(parameters)}`;
    const init: RequestInit = { method, headers: question.headers ?? this.account() };
    if (body !== undefined) init.body = typeof body === 'string' ? body : new Uint8Array(body);
    const response = await fetch(url, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** The text of an error with this HTTP status and ClickHouse's number. */
  async refused(question: Question, status: number, code: number): Promise<string> {
    const asked = await this.ask(question);
    assert.equal(asked.headers.get('x-clickhouse-exception-code'), String(code), asked.text);
    assert.equal(asked.status, status, asked.text);
    assert.match(
      asked.text,
      new RegExp(`^Code: ${code}\\. DB::Exception: .+\\(version 26\\.`, 's'),
    );
    return asked.text;
  }
}

/** Looks again until the condition holds; fails after ten seconds. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail('the condition did not come true within 10 s');
}
