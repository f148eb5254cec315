import { test } from 'tap';
import type { ContentRules } from '../../../src/policy/content.ts';
import { openForm } from '../../../src/proxy/forms/form-parser.ts';
import { restrictsForms, watchForm } from '../../../src/proxy/forms/form-policy.ts';

const FREE: ContentRules = { models: null, voices: null, languages: null, formats: null, maxTranscript: null };
const RULES: ContentRules = { ...FREE, models: ['ink-whisper'], languages: ['en'] };
const TYPE = 'multipart/form-data; boundary=b';

const field = (name: string, value: string, more = ''): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
const file = (name = 'file'): string => field(name, 'RIFF\0\xff', '; filename="a.wav"\r\nContent-Type: audio/wav');
const formOf = (...parts: string[]): string => `${parts.join('')}--b--\r\n`;

/** The code of the refusal, or `null` if allowed, and after how many bytes it was known. */
async function judged(text: string, rules = RULES, size = 7): Promise<{ code: string | null; at: number }> {
  const bytes = Buffer.from(text, 'latin1');
  const form = await openForm(TYPE);
  const policy = watchForm(form, rules);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    try {
      form.write(piece);
      policy.write(piece);
    } catch (error) {
      return { code: (error as { code: string }).code, at };
    }
  }
  try {
    await form.end();
    await policy.end();
    return { code: null, at: bytes.length };
  } catch (error) {
    return { code: (error as { code: string }).code, at: bytes.length };
  }
}

test('only rules about models and languages concern forms', async (t) => {
  t.equal(restrictsForms(FREE), false);
  t.equal(restrictsForms({ ...FREE, voices: ['v'], formats: ['wav'], maxTranscript: 5 }), false);
  t.equal(restrictsForms({ ...FREE, models: ['m'] }), true);
  t.equal(restrictsForms({ ...FREE, languages: ['en'] }), true);
});

test('a form within the policy passes, cut into pieces of any size', async (t) => {
  for (const text of [
    formOf(field('model', 'ink-whisper'), field('language', 'en'), file()),
    formOf(file(), field('language', 'en'), field('model', 'ink-whisper')),
    formOf(file(), field('language', 'en-GB'), field('model', 'ink-whisper')),
    formOf(field('model', 'ink-whisper'), file()),
    formOf(field('model', 'ink-whisper'), field('timestamp_granularities[]', 'word'), file()),
  ]) {
    for (const size of [1, 2, 5, 64, 10_000]) t.equal((await judged(text, RULES, size)).code, null);
  }
});

test('a form outside the policy is refused as soon as this is known', async (t) => {
  const late = 'x'.repeat(5000);
  const wrongModel = await judged(formOf(field('model', 'ink-2'), file(), field('note', late)));
  t.equal(wrongModel.code, 'content_not_allowed');
  t.ok(wrongModel.at < 500, `known after ${wrongModel.at} bytes`);
  t.equal(
    (await judged(formOf(field('model', 'ink-whisper'), field('language', 'de'), file()))).code,
    'content_not_allowed',
  );
  t.equal(
    (await judged(formOf(field('language', 'en'), file()))).code,
    'content_not_allowed',
    'a model has to be named',
  );
  t.equal((await judged(formOf(file(), field('model', 'ink-2')))).code, 'content_not_allowed', 'even after the file');
});

test('a form that two parsers may read differently is refused', async (t) => {
  const good = field('model', 'ink-whisper');
  for (const [name, text] of Object.entries({
    'two models': formOf(good, field('model', 'ink-2'), file()),
    'two equal models': formOf(good, good, file()),
    'two languages': formOf(good, field('language', 'en'), field('language', 'de'), file()),
    'another spelling': formOf(good, field('Model', 'ink-2'), file()),
    'a list': formOf(good, field('model[]', 'ink-2'), file()),
    'a model that is a file': formOf(good, file('model')),
    'a language that is a file': formOf(good, file('language')),
    'a model longer than any': formOf(field('model', `ink-whisper${' '.repeat(5000)}`), file()),
    'too many fields': formOf(...Array.from({ length: 101 }, (_, at) => field(`f${at}`, 'x')), good),
  })) {
    t.equal((await judged(text)).code, 'invalid_request', name);
  }
  for (const type of ['multipart/form-data; boundary=b; boundary=c', 'multipart/form-data; boundary=b; BOUNDARY=c']) {
    const twoBoundaries = await openForm(type);
    t.throws(() => watchForm(twoBoundaries, RULES), { code: 'invalid_request' }, type);
  }
});

test('what is not a form, or only part of one, is refused', async (t) => {
  const withoutBoundary = await openForm('multipart/form-data');
  t.throws(() => watchForm(withoutBoundary, RULES), { code: 'invalid_request' });
  const whole = formOf(field('model', 'ink-whisper'), file());
  for (const [name, text] of Object.entries({
    nothing: '',
    'no boundary in it': 'hello',
    'cut inside the file': whole.slice(0, -20),
    'cut inside a name': whole.slice(0, 30),
  })) {
    t.ok((await judged(text)).code, name);
  }
});

test('a form with very many parts is refused before the rest of it is read', async (t) => {
  const many = (count: number): string => formOf(field('model', 'ink-whisper'), file().repeat(count));
  t.equal((await judged(many(199))).code, null);
  const text = many(5000);
  const { code, at } = await judged(text);
  t.equal(code, 'invalid_request');
  t.ok(at < many(200).length);
  t.equal((await judged(text, RULES, text.length)).code, 'invalid_request', 'in one piece too');
});
