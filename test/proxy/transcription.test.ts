import { test } from 'tap';
import { TranscriptionAnswer } from '../../src/proxy/transcription.ts';

function secondsIn(...pieces: (string | Buffer)[]): number | null {
  const answer = new TranscriptionAnswer();
  for (const piece of pieces) answer.push(Buffer.from(piece));
  return answer.audioSeconds;
}

test('the length of the audio is read from the answer', async (t) => {
  t.equal(secondsIn('{"type":"transcript","text":"hello","duration":1.234}'), 1.234);
  t.equal(secondsIn('{"text":"h', 'ello","durat', 'ion":2}'), 2, 'in pieces');
  const umlaut = Buffer.from('{"text":"ü","duration":3}');
  t.equal(secondsIn(umlaut.subarray(0, 10), umlaut.subarray(10)), 3, 'cut inside a character');
});

test('an answer without a valid duration yields none', async (t) => {
  for (const text of [
    '',
    'plain text',
    '{"text":"no duration"}',
    '{"duration":"7"}',
    '{"duration":-1}',
    '{"duration":null}',
    '{"duration":1e999}',
    '[7]',
    'null',
    '{"duration":7',
  ]) {
    t.equal(secondsIn(text), null, text);
  }
});

test('an answer longer than any transcript is given up', async (t) => {
  const answer = new TranscriptionAnswer();
  const piece = Buffer.alloc(1024 * 1024, ' ');
  answer.push(Buffer.from('{"duration":5,"text":"'));
  for (let i = 0; i < 9; i += 1) answer.push(piece);
  answer.push(Buffer.from('"}'));
  t.equal(answer.audioSeconds, null);
});
