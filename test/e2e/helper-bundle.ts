// The helper for apps as a page loads it: one script that defines the global `helper`.
import { join } from 'node:path';
import { build } from 'esbuild';

export async function bundleHelper(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, '../../src/client/index.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'helper',
    platform: 'browser',
  });
  return outputFiles[0]?.text ?? '';
}
