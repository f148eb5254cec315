// Saves a streamed WAV as a file whose header has the right lengths.
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The written file. */
export interface WavFile {
  readonly path: string;
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * Writes to the current directory, or to the temporary directory if that fails.
 * @param audio a WAV as the API streams it, with 0xFFFFFFFF for the lengths, which were not known yet
 */
export async function writeWav(audio: Uint8Array, name: string): Promise<WavFile> {
  const file = withLengths(audio);
  const seconds = (file.length - HEADER_BYTES) / file.readUInt32LE(BYTE_RATE_AT);
  for (const folder of [process.cwd(), tmpdir()]) {
    const target = path.join(folder, name);
    try {
      await writeFile(target, file);
      return { path: target, bytes: file.length, seconds };
    } catch (error) {
      if (folder === tmpdir()) throw error;
    }
  }
  throw new Error('there is no folder to write to');
}

/** Some players refuse a file whose header claims four gigabytes. */
function withLengths(audio: Uint8Array): Buffer {
  const file = Buffer.from(audio);
  if (file.length <= HEADER_BYTES || file.toString('latin1', 0, 4) !== 'RIFF') throw new Error('this is no WAV');
  file.writeUInt32LE(file.length - 8, RIFF_LENGTH_AT);
  file.writeUInt32LE(file.length - HEADER_BYTES, DATA_LENGTH_AT);
  return file;
}

const HEADER_BYTES = 44;
const RIFF_LENGTH_AT = 4;
const BYTE_RATE_AT = 28;
const DATA_LENGTH_AT = 40;
