// `cartesia-broker serve` as a process of its own that says how much memory it holds.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type ServeOptions, type ServeProcess, serveProcess } from './serve-process.ts';

export interface MeasuredProcess extends ServeProcess {
  /** Bytes that are alive, on V8's heap and beside it, after a full collection. How V8 sizes its heap is no part of it. */
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
