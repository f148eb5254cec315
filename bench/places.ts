// The directories of the benchmark.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const BENCH = fileURLToPath(new URL('.', import.meta.url));
export const PEERS = fileURLToPath(new URL('./peers', import.meta.url));

/** Compiled programs and the compile cache: kept between runs, ignored by git. */
export const BUILD = fileURLToPath(new URL('.build', import.meta.url));
mkdirSync(BUILD, { recursive: true });

/** Configurations, keys and requests of this run, removed at its end. */
export const SCRATCH = mkdtempSync(path.join(tmpdir(), 'broker-bench-'));
process.on('exit', () => rmSync(SCRATCH, { recursive: true, force: true }));
