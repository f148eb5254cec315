// `const { Agent } = await import('undici')` works in Node although undici is CommonJS: Node detects which names it exports.
// esbuild gives such a chunk only a default export, and `Agent` would be undefined.
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

/** Marks a resolution that this plugin itself requested. */
const ASKED = Symbol('asked by named-exports');

/** Gives CommonJS packages that are imported dynamically the names that Node gives them. */
export const namedExports: Plugin = {
  name: 'named-exports',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^[@a-z]/ }, async ({ path: specifier, kind, importer, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === ASKED) return undefined;
      const resolved = await resolve(specifier, { kind, importer, resolveDir, pluginData: ASKED });
      if (resolved.external || resolved.errors.length > 0) return resolved;
      const names = Object.keys((await import(pathToFileURL(resolved.path).href)) as object);
      // Node adds this name to CommonJS modules.
      if (!names.includes('module.exports')) return resolved;
      return { path: specifier, namespace: 'named-exports', pluginData: { names, file: resolved.path, resolveDir } };
    });
    onLoad({ filter: /.*/, namespace: 'named-exports' }, ({ pluginData }) => {
      const { names, file, resolveDir } = pluginData as { names: string[]; file: string; resolveDir: string }; // from above
      const named = names.filter((name) => name !== 'default' && /^[A-Za-z_$][\w$]*$/.test(name));
      return {
        // Not `import`: for a module marked `__esModule`, esbuild would return its `default` in place of the whole module.
        contents: `const all = require(${JSON.stringify(file)});\nexport default all;\nexport const { ${named.join(', ')} } = all;\n`,
        resolveDir,
        loader: 'js',
      };
    });
  },
};
