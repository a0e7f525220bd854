import { type Logger as PinoLogger, pino } from 'pino';
import type { Clock } from './clock.js';

/** One line per event: an event name plus fields. Never pass a secret. */
export interface Logger {
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
  /**
   * For the data path: at most `linesPerInterval` lines of one event name per ten seconds; the next
   * line that passes carries `suppressed`, the number that did not.
   */
  limited(event: string, fields?: Record<string, unknown>): void;
}

const limitedIntervalMs = 10_000;
const linesPerInterval = 5;
const limitedEventsMax = 500;

/** A logger writing JSON lines to `destination` (default: standard error). */
export function createLogger(
  level: string,
  clock: Clock,
  destination: { write(line: string): void } = process.stderr,
): Logger {
  const out: PinoLogger = pino(
    { level, base: null, messageKey: 'event', timestamp: () => `,"time":${clock.now()}` },
    destination,
  );
  const windows = new Map<string, { since: number; lines: number; suppressed: number }>();
  return {
    debug: (event, fields) => out.debug(fields ?? {}, event),
    info: (event, fields) => out.info(fields ?? {}, event),
    warn: (event, fields) => out.warn(fields ?? {}, event),
    error: (event, fields) => out.error(fields ?? {}, event),
    limited(event, fields): void {
      const now = clock.monotonic();
      let window = windows.get(event);
      if (window === undefined) {
        if (windows.size >= limitedEventsMax) windows.clear();
        window = { since: now, lines: 0, suppressed: 0 };
        windows.set(event, window);
      }
      if (now - window.since >= limitedIntervalMs) {
        window.since = now;
        window.lines = 0;
      }
      if (window.lines >= linesPerInterval) {
        window.suppressed += 1;
        return;
      }
      window.lines += 1;
      const suppressed = window.suppressed;
      window.suppressed = 0;
      out.warn(suppressed > 0 ? { ...fields, suppressed } : (fields ?? {}), event);
    },
  };
}

/** A logger that says nothing, for tests and short-lived commands. */
export const silentLogger: Logger = Object.freeze({
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  limited: () => {},
});
