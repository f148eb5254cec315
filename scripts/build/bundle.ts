// Bundles src/main.ts and everything it uses into a few JavaScript files.
import path from 'node:path';
import { build } from 'esbuild';
import { lazyBuiltins } from './lazy-builtins.ts';
import { leaveOut } from './leave-out.ts';
import { namedExports } from './named-exports.ts';

export interface BundleOptions {
  /** Root of the repository. */
  readonly root: string;
  /** Created if missing; files of another build are left alone. */
  readonly outdir: string;
}

export interface Bundle {
  readonly files: number;
  readonly bytes: number;
  /** Files whose code is in the bundle, relative to `root`. */
  readonly inputs: readonly string[];
}

/**
 * Rejects on warnings too. Decided by measurement, see ADR 0010 (light start):
 * - ES modules with a chunk per command, so that `serve` reads nothing that only the demo needs;
 * - not minified, no source maps: it starts as fast, and a stack trace in a log is readable as it stands.
 */
export async function bundle({ root, outdir }: BundleOptions): Promise<Bundle> {
  const { metafile, warnings } = await build({
    absWorkingDir: root,
    entryPoints: { main: 'src/main.ts' },
    outdir,
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.19',
    minify: false,
    sourcemap: false,
    legalComments: 'none', // the full texts are in THIRD-PARTY-LICENSES.txt
    banner: { js: REQUIRE },
    plugins: [leaveOut, lazyBuiltins, namedExports],
    metafile: true,
    logLevel: 'silent', // errors and warnings are thrown instead
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'));
  const outputs = Object.values(metafile.outputs);
  const inputs = new Set(
    outputs.flatMap((output) =>
      Object.entries(output.inputs)
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .map(([input]) => input.split(path.sep).join('/')),
    ),
  );
  return {
    files: outputs.length,
    bytes: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
    inputs: [...inputs].filter((input) => !input.includes(':')), // those with a colon are made by our plugins
  };
}

/** For CommonJS packages that `require` Node's built-in modules. */
const REQUIRE = "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);";
