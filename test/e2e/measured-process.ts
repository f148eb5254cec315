// Runs `cartesia-broker serve` as a separate process that reports how much memory it holds.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type ServeOptions, type ServeProcess, serveProcess } from './serve-process.ts';

export interface MeasuredProcess extends ServeProcess {
  /** Live bytes, on V8's heap and outside, after a full collection. Independent of how V8 sizes its heap. */
  aliveBytes(): Promise<number>;
}

const GC = fileURLToPath(new URL('gc-on-message.ts', import.meta.url));

export function measuredProcess(t: Test, options: Omit<ServeOptions, 'nodeOptions'>): MeasuredProcess {
  const served = serveProcess(t, { ...options, nodeOptions: ['--expose-gc', '--import', GC] });
  return {
    ...served,
    async aliveBytes() {
      served.child.send('memory');
      const [bytes] = await once(served.child, 'message');
      return bytes as number;
    },
  };
}
