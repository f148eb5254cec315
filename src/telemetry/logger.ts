// The log: JSON lines, built from an allow-list. No header, no query value, no body, no error object ever gets in whole.
import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from '../config/config.ts';

export type { Logger } from 'pino';

/**
 * @param destination where lines go; standard output unless a test says otherwise
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError, error: describeError, req: () => undefined, res: () => undefined },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** What the log says of an error. */
export interface ErrorDescription {
  readonly type: string;
  readonly code?: string;
  /** Where it happened: code positions only, the first line of a stack quotes the message. */
  readonly at?: readonly string[];
  readonly cause?: ErrorDescription;
}

/**
 * An error as it may be logged: its class, its code, where it happened. Not its message and not its properties: both have held
 * keys and tokens before (a failed request's headers, a URL, a parser quoting its input).
 */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error };
  const code: unknown = Reflect.get(error, 'code');
  const at = (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 5)
    .map((line) => line.trim().slice(3));
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' && /^[A-Za-z0-9_]{1,64}$/.test(code) ? { code } : {}),
    ...(at.length > 0 ? { at } : {}),
    ...(error.cause !== undefined && depth < 4 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}
