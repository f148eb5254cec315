// Code that the broker never runs, or that has nothing to decide any more once a build exists. Less to read and to evaluate at every
// start, and less that could be attacked.
import type { Plugin } from 'esbuild';

/** By the name a package is asked for: what is given instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  // Fastify loads these two where an application brings no compilers of its own; ours does (see src/listener/no-compilers.ts). 480 kB.
  '@fastify/ajv-compiler': `throw new Error('Ajv is not part of this build');`,
  '@fastify/fast-json-stringify-compiler': `throw new Error('fast-json-stringify is not part of this build');`,
  // Fastify asks it whether a plugin fits its own version. The lockfile has settled that, and every test runs from the source, where
  // it is asked. 70 kB and 5 ms, for regular expressions.
  semver: 'module.exports = { satisfies: () => true, gt: () => false, coerce: (version) => version };',
};

/** `semver` of anybody else stays what it is. */
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
