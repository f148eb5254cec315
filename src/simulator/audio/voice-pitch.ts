import { BASE_HZ } from './tone-grid.ts';

/** Hum frequencies between a low and a high speaking voice; below the tones that carry the text. */
const PITCHES_HZ = [100, 125, 150, 175, 200, 225, 250] as const;

/** The pitch of a voice in Hz, always the same for the same id. FNV-1a, because it separates ids that differ in one character. */
export function pitchOf(voiceId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < voiceId.length; i += 1) hash = Math.imul(hash ^ voiceId.charCodeAt(i), 0x01000193) >>> 0;
  return PITCHES_HZ[hash % PITCHES_HZ.length] ?? BASE_HZ * 3;
}
