// The source as a graph: its files, and what each of them imports.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface Import {
  /** A file from the root of the repository (`src/app.ts`), or a package or a module of Node as written. */
  readonly target: string;
  /** Nothing of it is left at run time. */
  readonly isType: boolean;
}

/** Paths from the root of the repository, with forward slashes, in order. */
export function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .filter((name) => name.endsWith(ending))
    .sort();
}

/** Every TypeScript file under src. */
export const SOURCE_FILES: readonly string[] = filesUnder('src', '.ts');

/** Without comments. Strings stay: an import in one would be taken for real, which errs on the safe side. */
export function codeOf(file: string): string {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\/|(^|[^:'"`\\])\/\/[^\n]*/g, '$1');
}

const STATEMENT = /\b(?:import|export)\s+(type\s)?(?:[\w$*{}\s,]*?\sfrom\s*)?['"]([^'"\n]+)['"]/g;
const EXPRESSION = /\b(typeof\s+)?import\s*\(\s*['"]([^'"\n]+)['"]/g;

/** Statements, re-exports, `import()` and the types of it. */
export function importsOf(file: string): Import[] {
  const code = codeOf(file);
  return [...code.matchAll(STATEMENT), ...code.matchAll(EXPRESSION)].map(([, type, specifier = '']) => ({
    target: specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier,
    isType: type !== undefined,
  }));
}
