import { median } from './measure/statistics.js';
import type { GoalResult, RoundFigures, ServerFigures } from './result.js';
import type { Goal } from './scenario.js';

const units: Record<string, string> = Object.freeze({
  perSecond: '/s',
  p50Ms: ' ms at p50',
  p99Ms: ' ms at p99',
  cores: ' of a core',
  bytesPerConnection: ' bytes per idle connection',
  bytesPerPoint: ' bytes per point',
  pointsPerSecond: ' points/s',
  secondsUntilStored: ' s until all is stored',
  journalGrowthMiB: ' MiB growth of the journal',
  memoryGrowthPercent: ' % growth of memory',
  timesJsonParse: ' × JSON.parse',
  shareOfRaw: ' of raw fdatasync',
  bytesWrittenPerByte: ' bytes written per byte',
});

/** Judges a goal on a figure of the product itself. */
export function judgeFigure(
  goal: Exclude<Goal, { kind: 'ratio' }>,
  value: number,
  subject = '',
): GoalResult {
  const { kind, measure, must, reach } = goal;
  const holds = (bound: number): boolean => (kind === 'atMost' ? value <= bound : value >= bound);
  const sign = kind === 'atMost' ? '≤' : '≥';
  return {
    text: `${subject}${sign} ${must}${units[measure] ?? ''}`,
    measure,
    value,
    low: undefined,
    high: undefined,
    basis: undefined,
    must,
    reach,
    met: holds(must),
    reached: holds(reach),
  };
}

/** Judges product against peer: the median of the ratios of the rounds, which lie side by side. */
export function judgeRatio(
  goal: Extract<Goal, { kind: 'ratio' }>,
  product: ServerFigures,
  peer: ServerFigures,
): GoalResult {
  const basis = product.senderBound || peer.senderBound ? 'cpu' : 'rate';
  const figure = (round: RoundFigures): number =>
    basis === 'rate' ? round.perSecond : round.perSecond / round.cores;
  const ratios: number[] = [];
  for (const [index, round] of product.rounds.entries()) {
    const other = peer.rounds[index];
    if (other !== undefined) ratios.push(figure(round) / figure(other));
  }
  const value = median(ratios);
  const { must, reach } = goal;
  return {
    text: `≥ ${must} × ${peer.name}`,
    measure: 'ratio',
    value,
    low: Math.min(...ratios),
    high: Math.max(...ratios),
    basis,
    must,
    reach,
    met: value >= must,
    reached: value >= reach,
  };
}
