// The units that Cartesia bills and limits by. Pure.
// Source: https://docs.cartesia.ai/pricing (one credit per character of a transcript; transcription by audio seconds)

/** What one request consumed. */
export interface Usage {
  /** Unicode code points of the transcript. The unit of a "character" is not documented; code points are what people count. */
  characters: number;
  /** Bytes of audio that went to the client. */
  audioBytes: number;
  /** Seconds of audio, generated or transcribed, where the format determines them. */
  audioSeconds: number;
}

export function noUsage(): Usage {
  return { characters: 0, audioBytes: 0, audioSeconds: 0 };
}

/** Code points: an emoji of two UTF-16 units is one character, a letter with a combining accent is two. */
export function countCharacters(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    count += 1;
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit <= 0xdbff && at + 1 < text.length) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next <= 0xdfff) at += 1;
    }
  }
  return count;
}

/** An `output_format` as requests name it. */
export interface OutputFormat {
  readonly container: string;
  readonly encoding: string | null;
  readonly sampleRate: number | null;
  /** Bits per second; mp3 only. */
  readonly bitRate: number | null;
}

/** Bytes per sample of every encoding that Cartesia generates or transcribes. */
const SAMPLE_BYTES: ReadonlyMap<string, number> = new Map([
  ['pcm_f32le', 4],
  ['pcm_s32le', 4],
  ['pcm_f16le', 2],
  ['pcm_s16le', 2],
  ['pcm_mulaw', 1],
  ['pcm_alaw', 1],
]);

/** Bytes of one second of mono audio; `null` where the format does not determine them. */
export function bytesPerSecond({ container, encoding, sampleRate, bitRate }: OutputFormat): number | null {
  if (container === 'mp3') return bitRate === null || bitRate <= 0 ? null : bitRate / 8;
  const width = encoding === null ? undefined : SAMPLE_BYTES.get(encoding);
  return width === undefined || sampleRate === null || sampleRate <= 0 ? null : width * sampleRate;
}
