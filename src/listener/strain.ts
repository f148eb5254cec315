// Tells whether this process is close to running out of memory, or no longer keeps up.
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';

/** `memory`: no new work can be taken on. `event_loop`: it was blocked for so long that callers noticed. */
export type Strain = 'memory' | 'event_loop';

export interface Load {
  /** 0 to 1, of V8's limit for long-lived objects. Garbage counts too, but near the limit V8 soon collects it. */
  readonly heap: number;
  /** 0 to 1, of the container's memory limit. */
  readonly resident: number;
  /** How much later than planned this check ran. Milliseconds. */
  readonly lateMs: number;
}

/** From here on work is refused. Bodies already on their way need the rest: a few hundred kilobytes each, and many at a time. */
const FULL = 0.8;
/** Below this, work is accepted again. */
const ROOM = 0.7;
const AWAY_MS = 1_000;

/** @param before the previous result: `memory` ends only once usage falls below ROOM */
export function strainOf({ heap, resident, lateMs }: Load, before: Strain | null): Strain | null {
  if (Math.max(heap, resident) >= (before === 'memory' ? ROOM : FULL)) return 'memory';
  return lateMs >= AWAY_MS ? 'event_loop' : null;
}

/**
 * V8's limit for long-lived objects, bytes. V8's own number includes the space for new objects, which does not help old ones: with a limit
 * of 256 MB set by the operator it says 448, and the process ends at 256.
 * @param options Node's options, from the command line and `NODE_OPTIONS`
 * @param heapSizeLimit V8's own number
 */
export function oldSpaceLimit(options: string, heapSizeLimit: number): number {
  const asked = [...options.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1)?.[1];
  return asked === undefined ? heapSizeLimit : Math.min(Number(asked) * 2 ** 20, heapSizeLimit);
}

export interface StrainWatchOptions {
  readonly onChange: (strain: Strain | null) => void;
  readonly everyMs?: number;
  /** The value of `NODE_OPTIONS`. */
  readonly nodeOptions?: string;
}

/** Four checks a second cost less than a request. */
const LOOK_MS = 250;
/** Checks without strain before `event_loop` ends: long enough for a probe to see it. */
const CALM_LOOKS = 4;

export function watchStrain({ onChange, everyMs = LOOK_MS, nodeOptions = '' }: StrainWatchOptions): { stop(): void } {
  const containerBytes = process.constrainedMemory(); // 0, or more than the machine has, if nothing limits it
  const limit = oldSpaceLimit([nodeOptions, ...process.execArgv].join(' '), getHeapStatistics().heap_size_limit);
  let current: Strain | null = null;
  let calmLooks = 0;
  let lookedMs = performance.now();
  let residentBytes = 0;

  const timer = setInterval(() => {
    const now = performance.now();
    if (containerBytes > 0) residentBytes = readResidentBytes() ?? residentBytes;
    const resident = containerBytes === 0 ? 0 : residentBytes / containerBytes;
    const found = strainOf({ heap: oldSpaceBytes() / limit, resident, lateMs: now - lookedMs - everyMs }, current);
    lookedMs = now;
    calmLooks = found === null ? calmLooks + 1 : 0;
    if (found === current || (current === 'event_loop' && found === null && calmLooks < CALM_LOOKS)) return;
    current = found;
    onChange(found);
  }, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** `null`: unknown, since reading it takes a file descriptor and none may be left. */
function readResidentBytes(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch {
    return null;
  }
}

function oldSpaceBytes(): number {
  let bytes = 0;
  for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics())
    if (!name.startsWith('new_')) bytes += used;
  return bytes;
}
