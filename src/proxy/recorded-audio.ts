// How many bytes a second of recorded audio has, as the query of a transcription announces it. Seconds are counted by it, so it is read as
// strictly as what policy looks at.
import { Problem } from '../errors/problems.ts';
import { bytesPerSecond } from '../usage/units.ts';
import { onlyParameter } from './only-parameter.ts';

/** One way to write each number: ` 16000`, `016000` and `16000.0` are numbers to one reader and none to another. */
const PLAIN_NUMBER = /^[1-9][0-9]{0,6}$/;

/**
 * @param isBudgeted a budget of audio depends on it: then it has to be known
 * @returns of mono; `null` where the query does not tell
 * @throws Problem `invalid_request`
 */
export function recordedBytesPerSecond(query: URLSearchParams, isBudgeted: boolean): number | null {
  const encoding = onlyParameter(query, 'encoding');
  const sampleRate = onlyParameter(query, 'sample_rate');
  if (sampleRate !== null && !PLAIN_NUMBER.test(sampleRate))
    throw new Problem('invalid_request', 'Write "sample_rate" as a plain whole number, such as 16000.');
  const rate = bytesPerSecond({
    container: 'raw',
    encoding,
    sampleRate: sampleRate === null ? null : Number(sampleRate),
    bitRate: null,
  });
  if (rate !== null) return rate;
  // Encodings are an open list of Cartesia's, and it says itself what it needs; but nobody's budget is spent unseen.
  if (isBudgeted)
    throw new Problem('invalid_request', 'Name "sample_rate" and an "encoding" whose seconds can be counted.');
  return null;
}
