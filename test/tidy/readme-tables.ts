import { configKeys } from '../../src/config/keys.js';
import { errorCodes } from '../../src/core/errors.js';
import { createMetrics } from '../../src/core/metrics.js';

/** A Markdown table that the README carries word for word. */
export interface ReadmeTable {
  readonly title: string;
  readonly lines: readonly string[];
}

export async function readmeTables(): Promise<ReadmeTable[]> {
  return [
    { title: 'Configuration', lines: configTable() },
    { title: 'Metrics', lines: await metricsTable() },
    { title: 'Error codes', lines: errorTable() },
  ];
}

function configTable(): string[] {
  const rows = configKeys.map(({ path, byDefault, secret, description }) => {
    const shown = byDefault === undefined ? '' : `\`${byDefault}\``;
    return row(`\`${path}\``, shown, `${description}${secret ? ' (secret)' : ''}`);
  });
  return [row('Key', 'Default', 'Meaning'), row('---', '---', '---'), ...rows];
}

async function metricsTable(): Promise<string[]> {
  const { registry } = createMetrics();
  const metrics = await registry.getMetricsAsJSON();
  const rows = metrics.map(({ name, type, help }) => {
    const labels = labelsOf(registry.getSingleMetric(name));
    const shown = labels.length === 0 ? name : `${name}{${labels.join(',')}}`;
    return row(`\`${shown}\``, String(type), help);
  });
  return [row('Metric', 'Type', 'Meaning'), row('---', '---', '---'), ...rows];
}

/** The library keeps them in a field that its types leave out. */
function labelsOf(metric: unknown): readonly string[] {
  return (metric as { labelNames?: readonly string[] }).labelNames ?? [];
}

function errorTable(): string[] {
  const rows = Object.entries(errorCodes).map(([code, meaning]) => row(`\`${code}\``, meaning));
  return [row('Code', 'Meaning'), row('---', '---'), ...rows];
}

function row(...cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
