import { test } from 'tap';
import { type ContentRules, type ContentWish, checkContent } from '../../src/policy/content.ts';

const FREE: ContentRules = { models: null, voices: null, languages: null, formats: null, maxTranscript: null };
const SPEECH: ContentWish = {
  model: 'sonic-3',
  voice: 'v1',
  language: 'en',
  container: 'wav',
  encoding: 'pcm_s16le',
  transcript: 'Hello',
};
const AUDIO: ContentWish = {
  model: 'ink-whisper',
  voice: null,
  language: null,
  container: null,
  encoding: null,
  transcript: null,
};

/** The message of the refusal; `null` = allowed. */
function judged(wish: Partial<ContentWish>, rules: Partial<ContentRules>, base = SPEECH): string | null {
  const decision = checkContent({ ...base, ...wish }, { ...FREE, ...rules });
  return decision.outcome === 'allowed' ? null : decision.message;
}

test('without rules everything is allowed', async (t) => {
  t.equal(judged({}, {}), null);
  t.equal(judged({ model: null, voice: null, language: null, container: null, encoding: null }, {}), null);
});

test('each rule applies to speech', async (t) => {
  const cases: readonly [Partial<ContentWish>, Partial<ContentRules>, string | null][] = [
    [{}, { models: ['sonic-3', 'sonic-2'] }, null],
    [{ model: 'sonic-3.6' }, { models: ['sonic-3'] }, 'This caller may not use this model.'],
    [{ model: 'SONIC-3' }, { models: ['sonic-3'] }, 'This caller may not use this model.'],
    [{ model: null }, { models: ['sonic-3'] }, 'This caller may not use this model.'],
    [{}, { voices: ['v1'] }, null],
    [{ voice: 'v2' }, { voices: ['v1'] }, 'This caller may not use this voice.'],
    [{ voice: null }, { voices: ['v1'] }, 'This caller may not use this voice.'],
    [{}, { languages: ['en'] }, null],
    [{ language: null }, { languages: ['en'] }, null],
    [{ language: 'de' }, { languages: ['en'] }, 'This caller may not use this language.'],
    [{ language: 'en-GB' }, { languages: ['en'] }, null],
    [{ language: 'de-en' }, { languages: ['en'] }, 'This caller may not use this language.'],
    [{}, { formats: ['wav'] }, null],
    [{}, { formats: ['pcm_s16le'] }, null],
    [{}, { formats: ['wav/pcm_s16le'] }, null],
    [{}, { formats: ['mp3', 'wav'] }, null],
    [{}, { formats: ['mp3', 'raw/pcm_s16le'] }, 'This caller may not use this output format.'],
    [{ container: 'mp3', encoding: null }, { formats: ['mp3'] }, null],
    [{ container: 'mp3', encoding: null }, { formats: ['mp3/null'] }, 'This caller may not use this output format.'],
    [{ container: null, encoding: null }, { formats: ['wav'] }, 'This caller may not use this output format.'],
    [{}, { maxTranscript: 5 }, null],
    [{}, { maxTranscript: 4 }, 'The transcript is longer than the 4 characters this caller may use.'],
    [{ transcript: '😀😀😀😀' }, { maxTranscript: 4 }, null],
    [{ transcript: '' }, { maxTranscript: 1 }, null],
  ];
  for (const [wish, rules, message] of cases) {
    t.equal(judged(wish, rules), message, JSON.stringify([wish, rules]));
  }
});

test('only the rules on models and languages apply to transcription', async (t) => {
  const rules = { voices: ['v1'], formats: ['wav'], maxTranscript: 1 };
  t.equal(judged({}, rules, AUDIO), null);
  t.equal(judged({}, { ...rules, models: ['ink-whisper'], languages: ['en'] }, AUDIO), null);
  t.ok(judged({}, { models: ['sonic-3'] }, AUDIO));
  t.ok(judged({ language: 'de' }, { languages: ['en'] }, AUDIO));
  t.equal(judged({ language: 'en-GB' }, { languages: ['en'] }, AUDIO), null);
  t.ok(judged({ model: null }, { models: ['ink-whisper'] }, AUDIO));
});

test('a refusal names the field and never its value', async (t) => {
  const secret = 'value-of-the-caller';
  for (const [wish, rules] of [
    [{ model: secret }, { models: ['m'] }],
    [{ voice: secret }, { voices: ['v'] }],
    [{ language: secret }, { languages: ['en'] }],
    [{ container: secret, encoding: secret }, { formats: ['wav'] }],
    [{ transcript: secret }, { maxTranscript: 3 }],
  ] as const) {
    const message = judged(wish, rules);
    t.ok(message);
    t.notOk(message?.includes(secret));
  }
});
