// Collects what is wrong with the configuration, each problem with the name and the place by which the operator knows it.
import { settingAt } from './setting-index.ts';

/** Keys from the top of the file, positions in lists from 0. */
export type SettingPath = readonly (string | number)[];

/** Where a value came from. */
export interface Place {
  /** The variable, or the file's setting such as `clients.web.ttl.max`. */
  readonly setting: string;
  /** The configuration file with line and column from 1, or `null` for the environment. */
  readonly file: { readonly path: string; readonly line: number; readonly column: number } | null;
  /** The file that held the secret, absolute. */
  readonly secretFile?: string;
}

/** One thing wrong or doubtful. Holds names and places, never a value. */
export interface ConfigProblem extends Place {
  /** What was expected, or what will happen. */
  readonly message: string;
}

/** `broker.yaml:12:7 clients.web.ttl.max: expected …` or `TOKEN_TTL_MAX: expected …`. */
export function formatProblem(problem: ConfigProblem): string {
  const { file } = problem;
  const place = file === null ? '' : `${file.path}:${file.line}:${file.column} `;
  return `${place}${problem.setting}: ${problem.message}`;
}

/** Values in the form of the file. Without a prototype, so that no key of a file means anything but itself. */
export type Tree = { [key: string]: unknown };

export function emptyTree(): Tree {
  return Object.create(null) as Tree;
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export class Report {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];
  readonly #places = new Map<string, Place>();
  readonly #brokenPaths: SettingPath[] = [];
  readonly #usable = new Map<string, readonly number[]>();

  /** Remembers where a value came from. */
  setPlace(path: SettingPath, place: Place): void {
    this.#places.set(placeKey(path), place);
  }

  /** The same for a value that replaces another one entirely: places inside the old one are forgotten. */
  overridePlace(path: SettingPath, place: Place): void {
    const below = `${placeKey(path).slice(0, -1)},`;
    for (const key of this.#places.keys()) if (key.startsWith(below)) this.#places.delete(key);
    this.setPlace(path, place);
  }

  /** Adds a problem at a path, named as the operator wrote it, or as the missing setting is called. */
  add(path: SettingPath, message: string): void {
    this.markBroken(path);
    const place = this.placeOf(path);
    const last = path.at(-1);
    const isItemOfVariable = place.file === null && typeof last === 'number';
    this.addAt(place, isItemOfVariable ? `item ${last + 1}: ${message}` : message);
  }

  /** Replaces a name that must not be shown by `*`, in all problems after the first `known`. */
  hideName(path: SettingPath, known: number): void {
    const shown = settingName(path);
    const hidden = settingName([...path.slice(0, -1), '*']);
    for (const problem of this.problems.splice(known))
      this.problems.push({ ...problem, setting: problem.setting.replace(shown, () => hidden) });
  }

  /** Keeps rules from checking what could not be read. */
  markBroken(path: SettingPath): void {
    this.#brokenPaths.push(path);
  }

  /** Remembers which items of a list can be used, by their positions in the file: the others are left out of the settings. */
  setUsable(path: SettingPath, positions: readonly number[]): void {
    this.#usable.set(placeKey(path), positions);
  }

  /** The path of an item, by its index among those that can be used. */
  itemPath(path: SettingPath, index: number): SettingPath {
    return [...path, this.#usable.get(placeKey(path))?.[index] ?? index];
  }

  addAt(place: Place, message: string): void {
    push(this.problems, place, message);
  }

  warn(path: SettingPath, message: string): void {
    push(this.warnings, this.placeOf(path), message);
  }

  warnAt(place: Place, message: string): void {
    push(this.warnings, place, message);
  }

  /** Whether something at this path, above or below it is already known to be wrong: then rules about it would guess. */
  isBroken(path: SettingPath): boolean {
    return this.#brokenPaths.some((broken) => {
      const [shorter, longer] = broken.length < path.length ? [broken, path] : [path, broken];
      return shorter.every((key, depth) => key === longer[depth]);
    });
  }

  /** Whether the operator gave a value there. */
  isGiven(path: SettingPath): boolean {
    return this.#places.has(placeKey(path));
  }

  /** The nearest place: of the path itself, of what holds it in the file, or the variable that would set it. */
  placeOf(path: SettingPath): Place {
    const exact = this.#places.get(placeKey(path));
    if (exact !== undefined) return exact;
    for (let length = path.length - 1; length > 0; length--) {
      const above = this.#places.get(placeKey(path.slice(0, length)));
      if (above?.file) return { setting: settingName(path), file: above.file };
      if (above) return above;
    }
    return { setting: settingAt(path)?.variable ?? settingName(path), file: null };
  }
}

/** `clients.web.auth.jwt[0].issuer`. Names inside free maps are shown as `*`: they may be anything, even a misplaced secret. */
export function settingName(path: SettingPath): string {
  let name = '';
  for (const [depth, key] of path.entries()) {
    const above = path[depth - 1];
    if (typeof key === 'number') name += `[${key}]`;
    else name += `${depth === 0 ? '' : '.'}${above === 'require' || above === 'map' ? '*' : key}`;
  }
  return name;
}

function placeKey(path: SettingPath): string {
  return JSON.stringify(path);
}

/** Adds the same message about the same setting only once: one variable may set several client apps. */
function push(list: ConfigProblem[], place: Place, message: string): void {
  const isKnown = list.some(
    (known) =>
      known.setting === place.setting &&
      known.message === message &&
      known.file?.line === place.file?.line &&
      known.file?.column === place.file?.column,
  );
  if (!isKnown) list.push({ setting: place.setting, file: place.file, message });
}
