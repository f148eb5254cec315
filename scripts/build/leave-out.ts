// Leaves out code that the broker never runs, or whose decision is settled once a build exists: less to read and evaluate at every start,
// and less to attack.
import type { Plugin } from 'esbuild';

/** Name of an imported package -> the code that takes its place. */
const INSTEAD: Readonly<Record<string, string>> = {
  // Fastify loads these two if an application brings no compilers of its own; ours does (see src/listener/no-compilers.ts). Saves 480 kB.
  '@fastify/ajv-compiler': `throw new Error('Ajv is not part of this build');`,
  '@fastify/fast-json-stringify-compiler': `throw new Error('fast-json-stringify is not part of this build');`,
  // Fastify checks with it whether a plugin fits Fastify's version. The lockfile has settled that, and the tests run from source, with
  // the check. Saves 70 kB and 5 ms, for regular expressions.
  semver: 'module.exports = { satisfies: () => true, gt: () => false, coerce: (version) => version };',
};

/** Other importers of `semver` get the real one. */
const ASKED_BY_FASTIFY = /\/fastify\/lib\//;

export const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:@fastify\/|semver$)/ }, ({ path, importer }) => {
      if (!Object.hasOwn(INSTEAD, path) || !ASKED_BY_FASTIFY.test(importer)) return undefined;
      return { path, namespace: 'left-out' };
    });
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({ contents: INSTEAD[path] ?? '', loader: 'js' }));
  },
};
