// How the bundle loads Node's built-in modules. A third of the start-up time depends on it (measured on Node 24.21).
import { isBuiltin } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Modules that packages load at startup and use rarely or never: Fastify loads HTTP/2, prom-client zlib, and so on.
 * Loading them on first use saves 14 ms and 3 MB at startup.
 */
const LAZY = new Set([
  'dns',
  'fs/promises',
  'http2',
  'https',
  'perf_hooks',
  'readline',
  'tls',
  'v8',
  'worker_threads',
  'zlib',
]);

/**
 * An `import` of `node:http` reads every property of that module, and reading `http.WebSocket` makes Node load its own
 * fetch and WebSocket: 30 ms and 13 MB for what the broker never uses. `process.getBuiltinModule` does not.
 */
export const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup({ onResolve, onLoad, initialOptions }) {
    onResolve({ filter: /^[a-z]/ }, ({ path: specifier, kind, importer }) => {
      if (!isBuiltin(specifier) || kind === 'dynamic-import') return undefined; // a dynamic import is lazy already
      const name = specifier.replace(/^node:/, '');
      if (kind === 'require-call' && !LAZY.has(name)) return { path: `node:${name}`, external: true };
      // One module per importing file: shared by several chunks, these three lines would become a chunk of their own to load.
      if (name === 'http2' && ASKS_IN_VAIN.test(importer)) return { path: 'no http2', namespace: 'absent' };
      const asker = path.relative(initialOptions.absWorkingDir ?? '', importer);
      return { path: `${name} for ${asker}`, namespace: 'builtin', pluginData: name };
    });
    onLoad({ filter: /.*/, namespace: 'absent' }, ({ path: what }) => ({
      contents: `throw new Error('${what}');`,
      loader: 'js',
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ pluginData }) => {
      const name = String(pluginData);
      const contents = LAZY.has(name) ? onFirstUse(name) : `module.exports = process.getBuiltinModule('node:${name}');`;
      return { contents, loader: 'js' };
    });
  },
};

/**
 * On loading, undici also loads HTTP/2, and copes if Node was built without it. The broker never allows it (`allowH2: false` everywhere),
 * so leaving it out saves 8 ms and 2 MB right after startup.
 */
const ASKS_IN_VAIN = /undici\/lib\/dispatcher\/client-h2\.js$/;

/** A module with the same exports, each of which loads the real module when it is read. */
function onFirstUse(name: string): string {
  const names = Object.keys(process.getBuiltinModule(`node:${name}`) ?? {});
  return `for (const name of ${JSON.stringify(names)}) {
  Object.defineProperty(exports, name, { enumerable: true, get: () => process.getBuiltinModule('node:${name}')[name] });
}`;
}
