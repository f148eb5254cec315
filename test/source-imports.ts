// The source as a graph: its files and their imports.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface Import {
  /** A path from the root of the repository (`src/app.ts`), or the name of a package or Node module as written. */
  readonly target: string;
  /** The import does not exist at run time. */
  readonly isType: boolean;
}

/** Paths from the root of the repository, with forward slashes, sorted. */
export function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .filter((name) => name.endsWith(ending))
    .sort();
}

/** Every TypeScript file under src. */
export const SOURCE_FILES: readonly string[] = filesUnder('src', '.ts');

/** The code without comments. Strings stay: an import inside one counts as real, which errs on the safe side. */
export function codeOf(file: string): string {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\/|(^|[^:'"`\\])\/\/[^\n]*/g, '$1');
}

const STATEMENT = /\b(?:import|export)\s+(type\s)?(?:[\w$*{}\s,]*?\sfrom\s*)?['"]([^'"\n]+)['"]/g;
const EXPRESSION = /\b(typeof\s+)?import\s*\(\s*['"]([^'"\n]+)['"]/g;

/** Import and export statements, `import()` and `typeof import()`. */
export function importsOf(file: string): Import[] {
  const code = codeOf(file);
  return [...code.matchAll(STATEMENT), ...code.matchAll(EXPRESSION)].map(([, type, specifier = '']) => ({
    target: specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier,
    isType: type !== undefined,
  }));
}
