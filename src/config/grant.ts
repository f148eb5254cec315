// What an access token opens upstream: Cartesia's own words.

export const GRANTS = ['tts', 'stt', 'agent'] as const;
export type Grant = (typeof GRANTS)[number];
