/** The node's metrics: base name → sum over all label values. Histogram parts keep their suffix. */
export type Scrape = ReadonlyMap<string, number>;

export async function scrape(port: number): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  const sums = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const match = /^([a-z_]+)(?:\{.*\})? ([^ ]+)$/.exec(line);
    if (match === null || line.startsWith('#')) continue;
    const name = match[1] ?? '';
    sums.set(name, (sums.get(name) ?? 0) + Number(match[2]));
  }
  return sums;
}

export function metric(values: Scrape, name: string): number {
  return values.get(name) ?? 0;
}

export function metricDelta(before: Scrape, after: Scrape, name: string): number {
  return metric(after, name) - metric(before, name);
}
