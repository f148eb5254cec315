import { isMp3, readMp3 } from './mp3.ts';
import { isWav, type Recording, readWav } from './wav.ts';

export type { Recording } from './wav.ts';

/**
 * An uploaded audio file as samples, told by its content and not by its name: WAV or MP3. Undefined for any other or a damaged one
 * (raw PCM has no header: use `decodeSamples` with the encoding that the request names).
 */
export async function readRecording(bytes: Uint8Array): Promise<Recording | undefined> {
  if (isWav(bytes)) return readWav(bytes);
  if (isMp3(bytes)) return readMp3(bytes);
  return undefined;
}
