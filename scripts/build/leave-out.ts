// Packages that Fastify would load where an application brings no compilers of its own. Ours does (see src/app.ts), so
// they are not shipped: 480 kB less to read at every start, and less code that could be attacked.
import type { Plugin } from 'esbuild';

const LEFT_OUT = /^@fastify\/(ajv-compiler|fast-json-stringify-compiler)$/;

export const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: 'left-out' }));
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not part of this build`)});`,
      loader: 'js',
    }));
  },
};
