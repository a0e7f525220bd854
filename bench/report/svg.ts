import type { BenchResult, GoalResult, ScenarioResult, ServerFigures } from '../result.js';
import { short } from './table.js';

/**
 * The result as a drawing: per scenario one bar per server on a scale of its own, with the ratio to
 * each peer. Colours are read from the viewer's colour scheme, so it works on light and dark pages.
 */
const width = 880;
const labelWidth = 108;
const barWidth = 380;
const barHeight = 20;
const barGap = 6;
const headHeight = 30;
const panelGap = 22;
const margin = 20;

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2933; }
  .title { font-size: 17px; font-weight: 600; }
  .head { font-weight: 600; }
  .quiet { fill: #66727f; font-size: 12px; }
  .missed { fill: #b3261e; }
  .own { fill: #0f766e; }
  .peer { fill: #a7b3bf; }
  .page { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .quiet { fill: #94a1ae; }
    .missed { fill: #ff8a80; }
    .own { fill: #2dd4bf; }
    .peer { fill: #55606c; }
    .page { fill: #0d1117; }
  }`;

export function renderSvg(result: BenchResult): string {
  const panels: string[] = [];
  let top = margin + 52;
  for (const scenario of result.scenarios) {
    const bars = barsOf(scenario);
    if (bars.length === 0) continue;
    panels.push(renderPanel(scenario, bars, top));
    top += headHeight + bars.length * (barHeight + barGap) + panelGap;
  }
  const height = top - panelGap + margin;
  const taken = `${result.takenAt.slice(0, 10)} · ${String(result.machine['processor'] ?? '')} · `;
  const rounds = String(result.options['rounds'] ?? '');
  const how =
    `medians of ${rounds} interleaved rounds · ` +
    '“of CPU”: per processor second, where the sender was the limit';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`,
    ` viewBox="0 0 ${width} ${height}" role="img" aria-label="Sluice beside its peers">`,
    `<style>${style}</style>`,
    `<rect class="page" width="${width}" height="${height}" rx="8"/>`,
    `<text class="title" x="${margin}" y="${margin + 16}">Sluice beside its peers</text>`,
    `<text class="quiet" x="${margin}" y="${margin + 36}">${escapeXml(taken + how)}</text>`,
    ...panels,
    '</svg>\n',
  ].join('');
}

interface Bar {
  server: ServerFigures;
  value: number;
  text: string;
}

function barsOf(scenario: ScenarioResult): Bar[] {
  return scenario.servers.map((server) => {
    if (server.bytesPerConnection !== undefined) {
      const value = Math.max(0, server.bytesPerConnection);
      return { server, value, text: `${(value / 1024).toFixed(1)} KiB` };
    }
    if (scenario.id === 'd') {
      const p50 = server.p50Ms ?? 0;
      const p99 = server.p99Ms ?? 0;
      return { server, value: p99, text: `p50 ${p50.toFixed(2)} · p99 ${p99.toFixed(1)} ms` };
    }
    const points = scenario.id === 'g';
    const value = points ? server.pointsPerSecond : server.perSecond;
    return { server, value, text: `${short(value)} ${points ? 'points' : scenario.unit}/s` };
  });
}

function renderPanel(scenario: ScenarioResult, bars: readonly Bar[], top: number): string {
  const largest = Math.max(...bars.map((bar) => bar.value), Number.MIN_VALUE);
  const lower = scenario.id === 'd' || scenario.id === 'f-idle' ? 'less is better' : '';
  const parts = [
    `<text class="head" x="${margin}" y="${top + 16}">`,
    escapeXml(scenario.title),
    `<tspan class="quiet" dx="8">${lower}</tspan></text>`,
  ];
  for (const [index, bar] of bars.entries()) {
    const y = top + headHeight + index * (barHeight + barGap);
    const length = Math.max(2, (bar.value / largest) * barWidth);
    const own = bar.server.name === 'sluice';
    const x = margin + labelWidth;
    parts.push(
      `<text x="${margin}" y="${y + 15}">${escapeXml(bar.server.name)}</text>`,
      `<rect class="${own ? 'own' : 'peer'}" x="${x}" y="${y}" width="${length.toFixed(1)}"`,
      ` height="${barHeight}" rx="3"/>`,
      `<text x="${(x + length + 8).toFixed(1)}" y="${y + 15}">${escapeXml(bar.text)}`,
      own ? '' : ratioText(scenario.goals, bar.server.name),
      '</text>',
    );
  }
  return parts.join('');
}

/** `sluice 4.20×` beside the bar of a peer: how many times its rate the product has. */
function ratioText(goals: readonly GoalResult[], peer: string): string {
  const goal = goals.find(
    (candidate) => candidate.measure === 'ratio' && candidate.text.endsWith(`× ${peer}`),
  );
  if (goal === undefined || !Number.isFinite(goal.value)) return '';
  const per = goal.basis === 'cpu' ? ' of CPU' : '';
  const kind = goal.met ? 'quiet' : 'missed';
  return (
    `<tspan class="${kind}" dx="8">sluice ${goal.value.toFixed(2)}×${per}, ` +
    `goal ${goal.must}×</tspan>`
  );
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
