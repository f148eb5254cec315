// Whether this process is near the end of its memory, or of its time.
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';

/** `memory`: no new work can be taken on. `event_loop`: it was away for so long that callers noticed. */
export type Strain = 'memory' | 'event_loop';

export interface Load {
  /** 0 to 1, of what V8 may use for what lives on. Garbage counts too: near the limit V8 collects it before long. */
  readonly heap: number;
  /** 0 to 1, of what the container may use at most. */
  readonly resident: number;
  /** How much later than planned this look came. Milliseconds. */
  readonly lateMs: number;
}

/** From here on work is refused; a body on its way in is a few hundred kilobytes, and many come at a time. */
const FULL = 0.8;
/** Below this it is taken on again. */
const ROOM = 0.7;
const AWAY_MS = 1_000;

/** @param before what the last look found: memory has to sink further than it rose */
export function strainOf({ heap, resident, lateMs }: Load, before: Strain | null): Strain | null {
  if (Math.max(heap, resident) >= (before === 'memory' ? ROOM : FULL)) return 'memory';
  return lateMs >= AWAY_MS ? 'event_loop' : null;
}

/**
 * How much V8 may keep, bytes. Its own number holds the space for new objects too, which is no help to old ones: where an operator has
 * asked for 256 MB it says 448, and the process ends at 256.
 * @param options those of Node, from the command line and `NODE_OPTIONS`
 * @param heapSizeLimit V8's own number
 */
export function oldSpaceLimit(options: string, heapSizeLimit: number): number {
  const asked = [...options.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1)?.[1];
  return asked === undefined ? heapSizeLimit : Math.min(Number(asked) * 2 ** 20, heapSizeLimit);
}

export interface StrainWatchOptions {
  readonly onChange: (strain: Strain | null) => void;
  readonly everyMs?: number;
  /** Options of Node in the environment. */
  readonly nodeOptions?: string;
}

/** Four looks a second cost less than a request. */
const LOOK_MS = 250;
/** After having been away: long enough for a probe to see it. */
const CALM_LOOKS = 4;

export function watchStrain({ onChange, everyMs = LOOK_MS, nodeOptions = '' }: StrainWatchOptions): { stop(): void } {
  const containerBytes = process.constrainedMemory(); // 0, or more than there is, where nothing limits it
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

/** `null`: it cannot be told, for asking takes a file descriptor, and none may be left. */
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
