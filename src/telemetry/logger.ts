// The log: JSON lines, built from an allow-list. No header, query value, body or error object ever gets in whole.
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import type { LogLevel } from '../config/config.ts';
import { createLineTime } from './line-time.ts';
import { createLogOutput } from './log-output.ts';

export type { Logger } from 'pino';

/**
 * @param destination where lines go; standard output unless a test says otherwise
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const time = createLineTime();
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: () => `,"time":"${time()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError, error: describeError, req: () => undefined, res: () => undefined },
    hooks: {
      logMethod(args, method) {
        Reflect.apply(method, this, writable(args));
      },
    },
  };
  const output = destination ?? createLogOutput();
  const logger = pino(options, output);
  lineOutputs.set(logger, { output, time });
  return logger;
}

interface LineOutput {
  readonly output: DestinationStream;
  readonly time: () => string;
}

const lineOutputs = new WeakMap<Logger, LineOutput>();

/**
 * Writes a line whose fields are JSON text already. It does not check the level: ask `isLevelEnabled` before building the text.
 * @param fields members of an object, each with a comma before it
 * @param message a fixed text that needs no escape
 * @throws TypeError for a logger that `createLogger` did not make
 */
export function writeLine(logger: Logger, level: 'info' | 'debug', fields: string, message: string): void {
  const line = lineOutputs.get(logger);
  if (line === undefined) throw new TypeError('not a logger of createLogger');
  line.output.write(`{"level":"${level}","time":"${line.time()}"${fields},"msg":"${message}"}\n`);
}

/**
 * Reduces a log call to fields and a fixed message, without format arguments. pino itself would use an error's message as the line's
 * message where none is given, and would write out the properties of an error under any name but `err`.
 */
function writable([first, message]: readonly unknown[]): [object, string] {
  if (typeof first === 'string') return [{}, first];
  const text = typeof message === 'string' ? message : '(no message)';
  if (first instanceof Error) return [{ err: first }, text];
  const fields = first as Readonly<Record<string, unknown>>;
  for (const name in fields)
    if (fields[name] instanceof Error) return [Object.fromEntries(Object.entries(fields).map(describeIfError)), text];
  return [fields, text];
}

function describeIfError([name, value]: [string, unknown]): [string, unknown] {
  return [name, value instanceof Error && name !== 'err' && name !== 'error' ? describeError(value) : value];
}

/** What the log says about an error. */
export interface ErrorDescription {
  readonly type: string;
  readonly code?: string;
  /** Where it happened: code positions only, since the first line of a stack quotes the message. */
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
  const at = framesOf(error);
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' && ERROR_CODE.test(code) ? { code } : {}),
    ...(at.length > 0 ? { at } : {}),
    ...(error.cause !== undefined && depth < CAUSES_MAX ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}

/** `ECONNRESET`, `FST_ERR_BAD_URL`, `rate_limited`: plain words. Anything else could be a key that somebody put there. */
const ERROR_CODE = /^(?:[A-Z][A-Z0-9_]{1,63}|[a-z][a-z_]{1,63})$/;
const CAUSES_MAX = 4;
const FRAMES_MAX = 5;

/**
 * A stack begins with the message, whose lines may look like frames. Only what follows the message's last occurrence is frames. If it
 * does not occur, because one of the two was changed, message and frames cannot be told apart and nothing is shown.
 */
function framesOf({ message, stack }: Error): readonly string[] {
  if (typeof stack !== 'string' || typeof message !== 'string') return [];
  const start = message === '' ? 0 : stack.lastIndexOf(message);
  if (start === -1) return [];
  return stack
    .slice(start + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, FRAMES_MAX)
    .map((line) => line.trim().slice(3));
}
