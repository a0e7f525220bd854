import type { BenchResult, GoalResult, ScenarioResult, ServerFigures } from '../result.js';

/** The result as text for a terminal: one table per scenario, then the goals, then the warnings. */
export function renderText(result: BenchResult): string {
  const parts = result.scenarios.map(renderScenario);
  const goals = result.scenarios.flatMap((scenario) =>
    scenario.goals.map((goal) => goalRow(scenario.id, goal)),
  );
  if (goals.length > 0) {
    const head = ['', 'goal', 'measured', 'spread', 'must', 'reach', ''];
    parts.push(`Goals\n${renderRows([head, ...goals], 2)}`);
  }
  if (result.warnings.length > 0) {
    parts.push(['Warnings', ...result.warnings.map((line) => `  ${line}`)].join('\n'));
  }
  return `${parts.join('\n\n')}\n`;
}

/** Large numbers with a thin scale: 1,234,567 → 1.23 M. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  if (Math.abs(value) >= 1e3) return `${(value / 1e3).toFixed(2)} k`;
  return value.toFixed(Math.abs(value) < 10 ? 2 : 0);
}

function renderScenario(scenario: ScenarioResult): string {
  const title = `(${scenario.id}) ${scenario.title}`;
  const idle = scenario.servers.some((server) => server.bytesPerConnection !== undefined);
  const rows = idle
    ? [['server', 'bytes per connection'], ...scenario.servers.map(idleRow)]
    : [
        [
          'server',
          `${scenario.unit}/s`,
          'points/s',
          'CPU µs',
          'p50 ms',
          'p99 ms',
          'cores',
          'spread',
          '',
        ],
        ...scenario.servers.map(loadRow),
      ];
  const lines = scenario.servers.length === 0 ? [title] : [title, renderRows(rows)];
  for (const [name, value] of Object.entries(scenario.details)) {
    lines.push(`  ${name}: ${typeof value === 'number' ? short(value) : value}`);
  }
  return lines.join('\n');
}

function loadRow(server: ServerFigures): string[] {
  const notes = [server.senderBound ? 'sender-bound' : '', server.clean ? '' : 'NOT CLEAN'];
  return [
    server.name,
    short(server.perSecond),
    server.pointsPerSecond > 0 ? short(server.pointsPerSecond) : '–',
    server.cpuMicrosPerUnit.toFixed(2),
    milliseconds(server.p50Ms),
    milliseconds(server.p99Ms),
    server.cores.toFixed(2),
    Number.isFinite(server.spread) ? `${server.spread.toFixed(2)}×` : '–',
    notes.filter((note) => note !== '').join(', '),
  ];
}

function idleRow(server: ServerFigures): string[] {
  return [server.name, Math.round(server.bytesPerConnection ?? 0).toLocaleString('en')];
}

function goalRow(id: string, goal: GoalResult): string[] {
  const ratio = goal.low !== undefined && goal.high !== undefined;
  return [
    id,
    goal.text,
    `${short(goal.value)}${ratio ? '×' : ''}${goal.basis === 'cpu' ? ' per CPU second' : ''}`,
    ratio ? `${short(goal.low ?? 0)}–${short(goal.high ?? 0)}` : '',
    short(goal.must),
    short(goal.reach),
    verdict(goal),
  ];
}

/** Met, and whether the further aim was; or by how much it was missed. */
function verdict(goal: GoalResult): string {
  if (goal.reached) return 'met, reached';
  if (goal.met) return 'met';
  return `MISSED (${((goal.value / goal.must) * 100).toFixed(0)} % of the bound)`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(2);
}

/** Aligned columns: the first `texts` and the last to the left, numbers to the right. */
function renderRows(rows: readonly string[][], texts = 1): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const text = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const isText = column < texts || column === row.length - 1;
        return isText ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return rows.map((row) => `  ${text(row)}`).join('\n');
}
