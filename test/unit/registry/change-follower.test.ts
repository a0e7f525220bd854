import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newDeviceId } from '../../../src/core/ids.js';
import { silentLogger } from '../../../src/core/logger.js';
import { ChangeFollower } from '../../../src/registry/change-follower.js';
import type { Change, ChangePage } from '../../../src/registry/registry.js';
import { soon } from '../../support/registry.js';

/** A feed in memory. */
class Feed {
  readonly all: Change[] = [];
  floor = 0;
  failures = 0;
  #listener = (): void => {};

  add(count: number): void {
    for (let number = 0; number < count; number += 1) {
      const seq = this.all.length + 1;
      this.all.push({ entity: 'device', kind: 'updated', id: newDeviceId(), seq });
    }
  }

  ring(): void {
    this.#listener();
  }

  async lastChange(): Promise<number> {
    return this.all.length;
  }

  async changes(since: number, limit: number): Promise<ChangePage> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('the registry is away');
    }
    return { changes: this.all.slice(since, since + limit), gap: since < this.floor };
  }

  watch(listener: () => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  }
}

interface Bench {
  readonly feed: Feed;
  readonly follower: ChangeFollower;
  /** Sequence numbers applied so far, -1 for a gap. */
  readonly applied: number[];
  /** Resolves when `applied` ends with this number. */
  readonly reaches: (seq: number) => Promise<void>;
  readonly failing: { applications: number };
}

async function setUp(t: TestContext, before: number): Promise<Bench> {
  const feed = new Feed();
  feed.add(before);
  const applied: number[] = [];
  const failing = { applications: 0 };
  let check = (): void => {};
  const follower = new ChangeFollower(silentLogger, feed, async (page) => {
    if (failing.applications > 0) {
      failing.applications -= 1;
      throw new Error('cannot apply');
    }
    applied.push(...(page.gap ? [-1] : page.changes.map(({ seq }) => seq)));
    check();
  });
  await follower.start();
  t.after(() => follower.close());
  const reaches = (seq: number): Promise<void> =>
    soon(
      new Promise((resolve) => {
        check = () => {
          if (applied.at(-1) === seq) resolve();
        };
        check();
      }),
    );
  return { feed, follower, applied, reaches, failing };
}

const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test('changes after the start are applied once, in order, page after page', async (t) => {
  const { feed, applied, reaches } = await setUp(t, 3);
  feed.add(1200);
  feed.ring();
  feed.ring();
  await reaches(1203);
  feed.add(1);
  feed.ring();
  await reaches(1204);
  assert.deepEqual(applied, from(4, 1204));
});

test('what fails is tried again and nothing is left out', async (t) => {
  const { feed, applied, reaches, failing } = await setUp(t, 0);
  feed.failures = 1;
  feed.add(2);
  feed.ring();
  await reaches(2);
  failing.applications = 1;
  feed.add(2);
  feed.ring();
  await reaches(4);
  assert.deepEqual(applied, [1, 2, 3, 4]);
});

test('after a gap it goes on from the end', async (t) => {
  const { feed, applied, reaches } = await setUp(t, 0);
  feed.add(5);
  feed.floor = 3;
  feed.ring();
  await reaches(-1);
  feed.add(1);
  feed.ring();
  await reaches(6);
  assert.deepEqual(applied, [-1, 6]);
});

test('closed, it applies nothing more', async (t) => {
  const { feed, follower, applied } = await setUp(t, 0);
  follower.close();
  assert.equal(follower.started, false);
  feed.add(1);
  feed.ring();
  await new Promise((resume) => setImmediate(resume));
  assert.deepEqual(applied, []);
});
