// The output formats of generated speech, as Cartesia's API names them.

const SAMPLED = ['raw', 'wav'];
const CONTAINERS = [...SAMPLED, 'mp3'];
const ENCODINGS = ['pcm_f32le', 'pcm_s16le', 'pcm_mulaw', 'pcm_alaw'];

/** Every container, every encoding, and every combination of the two: `raw`, `pcm_s16le`, `raw/pcm_s16le`. */
export const OUTPUT_FORMATS: readonly string[] = [
  ...CONTAINERS,
  ...ENCODINGS,
  ...SAMPLED.flatMap((container) => ENCODINGS.map((encoding) => `${container}/${encoding}`)),
];
