import { isMp3, readMp3 } from './mp3.ts';
import { isWav, type Recording, readWav } from './wav.ts';

export type { Recording } from './wav.ts';

/**
 * Reads an uploaded WAV or MP3 file into samples; its content decides the format, not its name. Undefined for any other or a damaged
 * file (raw PCM has no header: use `decodeSamples` with the encoding that the request names).
 */
export async function readRecording(bytes: Uint8Array): Promise<Recording | undefined> {
  if (isWav(bytes)) return readWav(bytes);
  if (isMp3(bytes)) return readMp3(bytes);
  return undefined;
}
