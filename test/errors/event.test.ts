import { test } from 'tap';
import { agentErrorEvent, fieldsOf, sttErrorEvent, ttsErrorEvent } from '../../src/errors/event.ts';
import { Problem } from '../../src/errors/problems.ts';

const FIELDS = fieldsOf(new Problem('quota_exceeded', 'Spent.'), 'our-id', 'ctx-1');
const COMMON = {
  type: 'error',
  status_code: 402,
  error_code: 'quota_exceeded',
  title: 'Quota exceeded',
  message: 'Spent.',
  request_id: 'our-id',
  source: 'broker',
};

test('on a speech socket an error has the fields that every client generation reads', async (t) => {
  const event = { ...COMMON, done: true, error: 'Quota exceeded: Spent.' };
  t.strictSame(ttsErrorEvent(FIELDS), { ...event, context_id: 'ctx-1' });
  t.strictSame(ttsErrorEvent({ ...FIELDS, contextId: null }), event, 'without a context');
  t.strictSame(ttsErrorEvent({ ...FIELDS, contextId: null, docUrl: 'https://x' }), { ...event, doc_url: 'https://x' });
});

test('on a transcription socket an error has neither context_id nor done', async (t) => {
  t.strictSame(sttErrorEvent(FIELDS), COMMON);
  t.strictSame(sttErrorEvent({ ...FIELDS, docUrl: 'https://x' }), { ...COMMON, doc_url: 'https://x' });
});

test("on an agent's socket an error has four members", async (t) => {
  const event = { type: 'error', code: 'draining', message: 'Later.' };
  for (const isFatal of [true, false])
    t.strictSame(agentErrorEvent('draining', 'Later.', isFatal), { ...event, fatal: isFatal });
});

test('an upstream failure names upstream as its source', async (t) => {
  t.equal(fieldsOf(new Problem('upstream_timeout', undefined, { source: 'upstream' }), 'id', null).source, 'upstream');
});
