import { test } from 'tap';
import { recordedBytesPerSecond } from '../../src/proxy/recorded-audio.ts';

test('audio has a rate if encoding and sample rate are given, each once and unambiguously', async (t) => {
  const rateOf = (query: string, isBudgeted: boolean) => recordedBytesPerSecond(new URLSearchParams(query), isBudgeted);
  for (const isBudgeted of [true, false]) {
    t.equal(rateOf('encoding=pcm_s16le&sample_rate=16000', isBudgeted), 32_000);
    t.equal(rateOf('encoding=pcm_f16le&sample_rate=8000', isBudgeted), 16_000);
    t.equal(rateOf('encoding=pcm_s32le&sample_rate=8000', isBudgeted), 32_000);
    t.equal(rateOf('encoding=pcm_mulaw&sample_rate=8000', isBudgeted), 8000);
    for (const query of [
      'sample_rate=016000',
      'sample_rate=16000.0',
      'sample_rate=%2016000',
      'sample_rate=+16000',
      'sample_rate=1e4',
      'sample_rate=0',
      'sample_rate=',
      'sample_rate=8000&sample_rate=16000',
      'sample_rate=16000&Sample_Rate=8000',
      'sample_rate=16000&encoding=pcm_mulaw',
      'sample_rate=16000&Encoding=pcm_mulaw',
    ])
      t.throws(() => rateOf(`encoding=pcm_s16le&${query}`, isBudgeted), { code: 'invalid_request' }, query);
  }
  for (const query of [
    '',
    'encoding=opus&sample_rate=16000',
    'sample_rate=16000',
    'encoding=pcm_s16le',
    'encoding=constructor&sample_rate=1',
  ]) {
    t.equal(rateOf(query, false), null, `${query}: left to Cartesia`);
    t.throws(() => rateOf(query, true), { code: 'invalid_request' }, `${query}: no budget could be enforced`);
  }
});
