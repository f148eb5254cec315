// Where the benchmark keeps its things.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const BENCH = fileURLToPath(new URL('.', import.meta.url));
export const PEERS = fileURLToPath(new URL('./peers', import.meta.url));

/** Compiled programs, configurations, keys: made anew when missing, ignored by git. */
export const SCRATCH = fileURLToPath(new URL('./.build', import.meta.url));

mkdirSync(SCRATCH, { recursive: true });
