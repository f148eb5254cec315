// Measures how large an image is on disk and when pulled.
import { spawn } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface ImageSize {
  /** As a registry would send it: one gzip over all files. */
  readonly compressedBytes: number;
  readonly unpackedBytes: number;
}

export async function sizeOf(folder: string): Promise<ImageSize> {
  const size = { compressedBytes: 0, unpackedBytes: 0 };
  const tar = spawn('tar', ['-cf', '-', '--exclude=./proc', '-C', folder, '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  tar.stdout.on('data', (chunk: Buffer) => {
    size.unpackedBytes += chunk.length;
  });
  await pipeline(tar.stdout, createGzip(), async (compressed: AsyncIterable<Buffer>) => {
    for await (const chunk of compressed) size.compressedBytes += chunk.length;
  });
  return size;
}
