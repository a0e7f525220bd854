import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupHours } from '../../../src/clickhouse/rollup.js';

const hour = 3_600_000;

describe('hours that share a statement', () => {
  const check = (hours: Array<[hour: number, devices: number]>, expected: number[][]): void => {
    const changed = hours.map(([at, devices]) => ({ hour: at * hour, devices }));
    assert.deepEqual(
      groupHours(changed).map(({ from, to, pairs }) => [from / hour, to / hour, pairs]),
      expected,
    );
  };

  it('are of one day', () => {
    check([], []);
    check([[5, 100]], [[5, 5, 100]]);
    check(
      [
        [22, 100],
        [23, 100],
        [24, 100],
      ],
      [
        [22, 23, 200],
        [24, 24, 100],
      ],
    );
  });

  it('are of one month when few devices changed', () => {
    check(
      [
        [0, 1],
        [30, 1],
        [700, 2],
        [743, 1],
        [744, 1],
      ],
      [
        [0, 743, 5],
        [744, 744, 1],
      ],
    );
  });

  it('have at most 20,000 pairs', () => {
    check(
      [
        [0, 15_000],
        [1, 5_000],
        [2, 1],
      ],
      [
        [0, 1, 20_000],
        [2, 2, 1],
      ],
    );
    check(
      [
        [0, 50_000],
        [1, 50_000],
      ],
      [
        [0, 0, 50_000],
        [1, 1, 50_000],
      ],
    );
  });
});
