// The transcription models that the simulated account knows.

const MODEL = /^(ink-2|ink-preview|ink-whisper)(?:-\d{4}-\d{2}-\d{2})?$/;

/** `upload`: a recording over HTTP. `manual` and `turns`: the two sockets. */
export type SttUse = 'upload' | 'manual' | 'turns';

/** Recordings are transcribed by the older model alone, which in turn does not recognise turns. */
export function isSttModel(model: string, use: SttUse): boolean {
  const family = MODEL.exec(model)?.[1];
  if (family === undefined) return false;
  return use === 'manual' || (family === 'ink-whisper') === (use === 'upload');
}
