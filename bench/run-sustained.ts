import { setTimeout as sleep } from 'node:timers/promises';
import { judgeFigure } from './goals.js';
import { readMeter } from './measure/process-meter.js';
import { runSender } from './measure/run-sender.js';
import { metric } from './measure/scrape.js';
import { median } from './measure/statistics.js';
import { Product } from './product.js';
import type { GoalResult, ScenarioResult } from './result.js';
import { keysPerMessage } from './sender/device-model.js';
import type { SenderResult, SustainedLoad } from './sender/load.js';

export interface SustainedOptions {
  /** Points per second to try, rising; the first one that is not carried ends the scenario. */
  rates: number[];
  seconds: number;
  connections: number;
  progress: (text: string) => void;
}

/** What one rate showed. */
interface Climb {
  rate: number;
  result: SenderResult;
  pointsPerSecond: number;
  secondsUntilStored: number;
  journalGrowthMiB: number;
  memoryGrowthPercent: number;
  clickhouseMiB: string;
  bytesPerPoint: number;
  bytesPerPointWithHelpers: number;
  nodeCores: number;
  clickhouseCores: number;
  rows: number;
  audit: string;
  carried: boolean;
}

interface Sample {
  journalBytes: number;
  nodeBytes: number;
  clickhouseBytes: number;
}

const storedWithinSeconds = 10;
const growthMiBMax = 96; // three segments of 32 MiB: what lies between two looks at any rate
const growthPercentMax = 10;
const mib = 1024 * 1024;

/**
 * Sustained load on both cores, sender and ClickHouse included, nothing pinned: everything must be
 * stored and queryable within ten seconds of the last message, and neither journal nor memory may
 * grow while it runs. The node is fresh for every rate.
 */
export async function runSustained(options: SustainedOptions): Promise<ScenarioResult> {
  const climbs: Climb[] = [];
  for (const rate of options.rates) {
    const climb = await attempt(rate, options);
    climbs.push(climb);
    options.progress(
      `g at ${rate.toLocaleString('en')} points/s: ` +
        `${Math.round(climb.pointsPerSecond).toLocaleString('en')} points/s, stored after ` +
        `${climb.secondsUntilStored.toFixed(1)} s, journal ` +
        `${climb.journalGrowthMiB.toFixed(0)} MiB, memory ` +
        `${climb.memoryGrowthPercent.toFixed(0)} %, ${climb.bytesPerPoint.toFixed(2)} bytes/point` +
        `${climb.carried ? '' : ' NOT CARRIED'} ${climb.audit}`,
    );
    if (!climb.carried) break;
  }
  const best = climbs.findLast((climb) => climb.carried) ?? climbs[0];
  if (best === undefined) throw new Error('no rate to try');
  return {
    id: 'g',
    title: `MQTT QoS 1, ten keys, sustained for ${options.seconds} s, both cores shared`,
    protocol: 'MQTT QoS 1',
    unit: 'messages',
    servers: [figuresOf(best)],
    goals: judge(best),
    details: detailsOf(best, climbs),
  };
}

async function attempt(rate: number, options: SustainedOptions): Promise<Climb> {
  const product = await Product.start({ devices: options.connections, pinned: false });
  try {
    return await measure(product, rate, options);
  } finally {
    await product.stop();
  }
}

async function measure(product: Product, rate: number, options: SustainedOptions): Promise<Climb> {
  const load: SustainedLoad = {
    kind: 'sustained',
    port: product.mqttPort,
    connections: options.connections,
    firstDevice: 0,
    warmupSeconds: 5,
    seconds: options.seconds,
    watch: product.watch,
    hold: false,
    perSecond: rate / keysPerMessage,
    window: 32,
    burst: 8,
  };
  const samples: Sample[] = [];
  const sampling = sampleEverySecond(product, samples);
  const result = await runSender(load, undefined);
  const points = result.audit.acked * keysPerMessage;
  const rows = await rowsWhenStored(product, points);
  const secondsUntilStored = (Date.now() - result.lastSentAtMs) / 1000;
  await sampling.stop();
  const audit = await auditRows(product, result, points, rows);
  const growth = growthOf(samples);
  const bytes = await bytesPerPoint(product);
  const pointsPerSecond = result.perSecond * keysPerMessage;
  const carried =
    audit === '' &&
    pointsPerSecond >= rate * 0.97 &&
    secondsUntilStored <= storedWithinSeconds &&
    growth.journalGrowthMiB <= growthMiBMax &&
    growth.memoryGrowthPercent <= growthPercentMax;
  return {
    rate,
    result,
    pointsPerSecond,
    secondsUntilStored,
    ...growth,
    ...bytes,
    nodeCores: (result.watched['server']?.cpuSeconds ?? 0) / result.seconds,
    clickhouseCores: (result.watched['clickhouse']?.cpuSeconds ?? 0) / result.seconds,
    rows,
    audit,
    carried,
  };
}

function sampleEverySecond(product: Product, samples: Sample[]): { stop(): Promise<void> } {
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const now = await product.scrape();
      samples.push({
        journalBytes: metric(now, 'sluice_journal_bytes'),
        nodeBytes: readMeter([product.pid]).residentBytes,
        clickhouseBytes: readMeter(product.watch['clickhouse'] ?? []).residentBytes,
      });
      await sleep(1000);
    }
  };
  const running = loop();
  return {
    async stop() {
      stopped = true;
      await running;
    },
  };
}

/** Polls the table until it holds `points` rows, or has stopped filling for half a minute. */
async function rowsWhenStored(product: Product, points: number): Promise<number> {
  let rows = -1;
  let changedAt = Date.now();
  for (;;) {
    const now = await product.sqlNumber('SELECT count() FROM telemetry');
    if (now !== rows) changedAt = Date.now();
    rows = now;
    if (rows >= points || Date.now() - changedAt > 30_000) return rows;
    await sleep(100);
  }
}

/** Every point has a key of its own in the table, so the number of rows is the whole proof. */
async function auditRows(
  product: Product,
  result: SenderResult,
  points: number,
  rows: number,
): Promise<string> {
  if (!result.audit.clean) return `sender: ${result.audit.note || 'not clean'}`;
  const now = await product.scrape();
  const accepted = metric(now, 'sluice_points_accepted_total');
  if (accepted !== points) return `accepted ${accepted} points where ${points} were acknowledged`;
  return rows === points ? '' : `${rows} rows where ${points} points were acknowledged`;
}

/** Second quarter of the run against its last quarter. */
function growthOf(samples: readonly Sample[]): {
  journalGrowthMiB: number;
  memoryGrowthPercent: number;
  clickhouseMiB: string;
} {
  const quarter = Math.max(1, samples.length >> 2);
  const early = samples.slice(quarter, 2 * quarter);
  const late = samples.slice(-quarter);
  const middle = (part: readonly Sample[], field: keyof Sample): number =>
    median(part.map((sample) => sample[field]));
  const memory = middle(late, 'nodeBytes') / middle(early, 'nodeBytes');
  const clickhouse = [early, late].map((part) => middle(part, 'clickhouseBytes') / mib);
  return {
    journalGrowthMiB: (middle(late, 'journalBytes') - middle(early, 'journalBytes')) / mib,
    memoryGrowthPercent: (memory - 1) * 100,
    clickhouseMiB: clickhouse.map((size) => size.toFixed(0)).join(' → '),
  };
}

/** After all merges: goal j. Bytes on disk of the points themselves, and with the helper tables. */
async function bytesPerPoint(
  product: Product,
): Promise<{ bytesPerPoint: number; bytesPerPointWithHelpers: number }> {
  await product.sql('OPTIMIZE TABLE telemetry FINAL');
  const rows = await product.sqlNumber('SELECT count() FROM telemetry');
  const size = (condition: string): Promise<number> =>
    product.sqlNumber(
      'SELECT sum(bytes_on_disk) FROM system.parts ' +
        `WHERE active AND database = currentDatabase() ${condition}`,
    );
  return {
    bytesPerPoint: (await size("AND table = 'telemetry'")) / rows,
    bytesPerPointWithHelpers: (await size('')) / rows,
  };
}

function figuresOf(climb: Climb): ScenarioResult['servers'][number] {
  const { result } = climb;
  return {
    name: 'sluice',
    rounds: [],
    perSecond: result.perSecond,
    spread: 1,
    pointsPerSecond: climb.pointsPerSecond,
    cpuMicrosPerUnit: (climb.nodeCores / result.perSecond) * 1e6,
    cores: climb.nodeCores,
    p50Ms: result.latency?.p50,
    p99Ms: result.latency?.p99,
    bytesPerConnection: undefined,
    senderBound: false,
    clean: climb.audit === '',
  };
}

function judge(climb: Climb): GoalResult[] {
  const { pointsPerSecond, secondsUntilStored, journalGrowthMiB, memoryGrowthPercent } = climb;
  const atMost = (
    measure: 'secondsUntilStored' | 'journalGrowthMiB' | 'memoryGrowthPercent' | 'bytesPerPoint',
    must: number,
    reach: number,
    value: number,
  ): GoalResult => judgeFigure({ kind: 'atMost', measure, must, reach }, value);
  return [
    judgeFigure(
      { kind: 'atLeast', measure: 'pointsPerSecond', must: 500_000, reach: 1_000_000 },
      climb.audit === '' ? pointsPerSecond : 0,
    ),
    atMost('secondsUntilStored', storedWithinSeconds, 5, secondsUntilStored),
    atMost('journalGrowthMiB', growthMiBMax, growthMiBMax, journalGrowthMiB),
    atMost('memoryGrowthPercent', growthPercentMax, growthPercentMax, memoryGrowthPercent),
    { ...atMost('bytesPerPoint', 6, 3, climb.bytesPerPoint), text: '(j) ≤ 6 bytes per point' },
  ];
}

function detailsOf(best: Climb, climbs: readonly Climb[]): ScenarioResult['details'] {
  return {
    'rates tried, points/s': climbs.map((climb) => climb.rate).join(', '),
    'highest rate carried, points/s': best.carried ? best.rate : 0,
    'points stored': best.rows,
    'seconds until stored': best.secondsUntilStored,
    'bytes per point': best.bytesPerPoint,
    'bytes per point, helper tables included': best.bytesPerPointWithHelpers,
    'cores of the node': best.nodeCores,
    'cores of ClickHouse': best.clickhouseCores,
    'cores of the sender': best.result.sender.cpuSeconds / best.result.seconds,
    'node resident MiB': (best.result.watched['server']?.residentBytes ?? 0) / mib,
    'ClickHouse resident MiB, early → late': best.clickhouseMiB,
    audit: best.audit === '' ? 'every acknowledged point is one row' : best.audit,
  };
}
