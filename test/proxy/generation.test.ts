import { test } from 'tap';
import { readGeneration } from '../../src/proxy/generation.ts';

test('the fields that policy and usage need are read', async (t) => {
  t.strictSame(
    readGeneration({
      model_id: 'sonic-3',
      transcript: 'Hello',
      voice: { mode: 'id', id: 'v1' },
      language: 'en',
      output_format: { container: 'mp3', sample_rate: 44100, bit_rate: 128000 },
      context_id: 'c1',
      generation_config: { speed: 1 },
    }),
    {
      wish: {
        model: 'sonic-3',
        voice: 'v1',
        language: 'en',
        container: 'mp3',
        encoding: null,
        transcript: 'Hello',
      },
      format: { container: 'mp3', encoding: null, sampleRate: 44100, bitRate: 128000 },
      contextId: 'c1',
    },
  );
});

const NOTHING = {
  wish: { model: null, voice: null, language: null, container: null, encoding: null, transcript: '' },
  format: { container: '', encoding: null, sampleRate: null, bitRate: null },
  contextId: null,
};

test('a field that is missing or of another type counts as absent', async (t) => {
  for (const body of [
    {},
    [],
    null,
    'text',
    7,
    undefined,
    {
      model_id: 7,
      transcript: null,
      voice: 7,
      language: null,
      output_format: 'wav',
      context_id: null,
    },
    { output_format: { container: 1, encoding: null, sample_rate: '8000', bit_rate: Number.NaN } },
    { voice: { id: 7 } },
  ]) {
    t.strictSame(readGeneration(body), NOTHING, JSON.stringify(body));
  }
});

test('what is free or allowed while it is absent must be text', async (t) => {
  for (const name of ['transcript', 'language', 'locale'])
    for (const value of [7, true, ['de'], {}])
      t.throws(() => readGeneration({ [name]: value }), {
        code: 'invalid_request',
        message: `The field "${name}" has the wrong type.`,
      });
});

test('no field that a rule concerns may come in another spelling', async (t) => {
  for (const name of ['model_id', 'transcript', 'voice', 'language', 'locale', 'output_format'])
    t.throws(() => readGeneration({ [name.toUpperCase()]: 'x' }), { code: 'invalid_request' }, name);
  for (const name of ['container', 'encoding', 'sample_rate', 'bit_rate'])
    t.throws(() => readGeneration({ output_format: { [name.toUpperCase()]: 1 } }), { code: 'invalid_request' }, name);
  for (const name of ['mode', 'id', 'embedding'])
    t.throws(() => readGeneration({ voice: { [name.toUpperCase()]: 'x' } }), { code: 'invalid_request' }, name);
});

test('a voice id is read in each of its forms, but only if the id decides which voice speaks', async (t) => {
  const voiceOf = (voice: unknown): string | null => readGeneration({ voice }).wish.voice;
  t.equal(voiceOf('v1'), 'v1');
  t.equal(voiceOf({ id: 'v1' }), 'v1');
  t.equal(voiceOf({ id: 'v1', extra: true }), 'v1');
  t.equal(voiceOf({ mode: 'id', id: 'v1' }), 'v1');
  t.equal(voiceOf({ mode: 'embedding', embedding: [0.1] }), null);
  t.equal(voiceOf({ mode: 'embedding', embedding: [0.1], id: 'v1' }), null, 'an id that is not what speaks');
  t.equal(voiceOf({ id: 'v1', embedding: [0.1] }), null);
  t.equal(voiceOf({ mode: 'other', id: 'v1' }), null);
});

test('a locale names a language', async (t) => {
  const languageOf = (fields: object): string | null => readGeneration(fields).wish.language;
  t.equal(languageOf({ locale: 'en-GB' }), 'en-GB');
  t.equal(languageOf({ locale: 'de' }), 'de');
  t.equal(languageOf({ language: 'en', locale: 'en-GB' }), 'en');
  t.equal(languageOf({ language: 'en-US', locale: 'en-GB' }), 'en-US');
  t.throws(() => languageOf({ language: 'en', locale: 'de-DE' }), { code: 'invalid_request' });
});

test('a second spelling of a field name is refused, not overlooked', async (t) => {
  for (const body of [
    { model_id: 'a', Model_ID: 'b' },
    { TRANSCRIPT: 'long' },
    { 'tran\u017fcript': 'long' },
    { Voice: 'v' },
    { voice: { id: 'a', ID: 'b' } },
    { voice: { Mode: 'embedding' } },
    { Language: 'de' },
    { LOCALE: 'de-DE' },
    { Output_Format: {} },
    { output_format: { Container: 'mp3' } },
    { output_format: { sample_rate: 8000, Sample_Rate: 44100 } },
    { output_format: { sample_rate: 8000, '\u017fample_rate': 44100 } },
  ]) {
    t.throws(() => readGeneration(body), { code: 'invalid_request' }, JSON.stringify(body));
  }
  t.equal(readGeneration({ Custom: 1, contextId: 'x' }).contextId, null, 'names that nothing reads are free');
});
