// Grants: what an access token opens upstream, in Cartesia's own words.

export const GRANTS = ['tts', 'stt', 'agent'] as const;
export type Grant = (typeof GRANTS)[number];
