// Reads the byte rate of recorded audio from a transcription's query. Seconds are counted by it, so it is read as strictly as what policy
// looks at.
import { Problem } from '../errors/problems.ts';
import { bytesPerSecond } from '../usage/units.ts';
import { onlyParameter } from './only-parameter.ts';

/** Allows one way to write each number: ` 16000`, `016000` and `16000.0` are numbers to some readers and not to others. */
const PLAIN_NUMBER = /^[1-9][0-9]{0,6}$/;

/**
 * @param isBudgeted an audio budget depends on the rate, so it must be known
 * @returns bytes per second of mono audio; `null` if the query does not determine it
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
  // Cartesia's list of encodings is open, and it reports itself what it needs; but no budget may be spent uncounted.
  if (isBudgeted)
    throw new Problem('invalid_request', 'Name "sample_rate" and an "encoding" whose seconds can be counted.');
  return null;
}
