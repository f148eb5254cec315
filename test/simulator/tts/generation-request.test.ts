import fc from 'fast-check';
import { test } from 'tap';
import { defaultSettings } from '../../../src/simulator/settings.ts';
import { type GenerationRules, readGeneration } from '../../../src/simulator/tts/generation-request.ts';
import { createWorld } from '../../../src/simulator/world.ts';
import { generation, VOICE } from '../call.ts';

const WORLD = createWorld(defaultSettings());
const RULES: GenerationRules = {
  version: { date: '2026-08-14', structured: true },
  allowEmptyTranscript: false,
};

test('a valid request is read', async (t) => {
  const body = generation({
    generation_config: { speed: 1.2, volume: 0.8, emotion: 'calm' },
    context_id: 'c1',
    continue: true,
    flush: true,
    max_buffer_delay_ms: 0,
    add_timestamps: true,
    add_phoneme_timestamps: null,
    unknown_field: { is: 'ignored' },
  });
  t.strictSame(readGeneration(WORLD, body, RULES), {
    outcome: 'read',
    value: {
      modelId: 'sonic-3.6',
      transcript: 'Hello there.',
      voiceId: VOICE,
      format: { container: 'raw', encoding: 'pcm_s16le', sampleRate: 16_000 },
      contextId: 'c1',
      continues: true,
      flush: true,
      maxBufferDelayMs: 0,
      wordTimestamps: true,
      phonemeTimestamps: false,
      speed: 1.2,
      volume: 0.8,
    },
  });
});

test('omitted fields have defaults', async (t) => {
  const read = readGeneration(WORLD, generation(), RULES);
  t.match(read, {
    value: {
      contextId: null,
      continues: false,
      flush: false,
      maxBufferDelayMs: 3_000,
      wordTimestamps: false,
      speed: 1,
      volume: 1,
    },
  });
});

test('the older words for speed are still accepted, unless a number is given', async (t) => {
  const speedOf = (changes: Record<string, unknown>) => {
    const read = readGeneration(WORLD, generation(changes), RULES);
    return read.outcome === 'read' ? read.value.speed : read.problem.message;
  };
  t.equal(speedOf({ speed: 'slow' }), 0.8);
  t.equal(speedOf({ speed: 'fast' }), 1.25);
  t.equal(speedOf({ speed: 'fast', generation_config: { speed: 0.7 } }), 0.7);
  t.match(speedOf({ speed: 'sloth' }), /^✖ Invalid option: expected one of "slow"\|"normal"\|"fast"\n/);
});

test('a message of an open context may have an empty transcript', async (t) => {
  const rules = { ...RULES, allowEmptyTranscript: true };
  t.equal(readGeneration(WORLD, generation({ transcript: '' }), rules).outcome, 'read');
});

test('any body is read or refused with 4xx, and never causes a failure', async (t) => {
  const known = fc.record(
    Object.fromEntries(
      [
        'model_id',
        'transcript',
        'voice',
        'output_format',
        'language',
        'locale',
        'generation_config',
        'speed',
        'context_id',
        'continue',
      ].map((name) => [name, fc.oneof(fc.anything(), fc.constant(generation()[name]))]),
    ),
    { requiredKeys: [] },
  );
  const versions = fc.constantFrom('2024-06-10', '2025-04-16', '2026-08-14', null);
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.oneof(known, fc.dictionary(fc.string(), fc.anything())), versions, (body, date) => {
          const read = readGeneration(WORLD, body as Record<string, unknown>, {
            ...RULES,
            version: { date, structured: true },
          });
          return read.outcome === 'read' || (read.problem.status >= 400 && read.problem.status < 500);
        }),
        { numRuns: 10_000 },
      ),
    '10,000 bodies',
  );
});
