// The log line of a request, parsed as a log collector parses it.
import fc from 'fast-check';
import { test } from 'tap';
import { type RequestFacts, requestFields } from '../../src/telemetry/request-line.ts';
import { emptyRecord, type RequestRecord } from '../../src/telemetry/request-record.ts';

const FACTS: RequestFacts = {
  requestId: 'id-1',
  route: '/tts/bytes',
  method: 'POST',
  status: 200,
  ms: 12.345,
  subject: null,
  traceId: null,
};

function lineOf(record: Partial<RequestRecord> = {}, facts: Partial<RequestFacts> = {}): Record<string, unknown> {
  return JSON.parse(`{"first":0${requestFields({ ...FACTS, ...facts }, { ...emptyRecord(), ...record })}}`);
}

test('the line of an unidentified caller has the request and its outcome, and nothing else', async (t) => {
  const said = {
    first: 0,
    request_id: 'id-1',
    route: '/tts/bytes',
    method: 'POST',
    status: 200,
    outcome: 'ok',
    ms: 12.3,
  };
  t.strictSame(lineOf(), said);
});

test('the line has the trace, the caller, and the time and request id of the upstream call', async (t) => {
  const record = { client: 'web', subject: 'ann', method: 'jwt', upstreamMs: 7.06, upstreamRequestId: 'req-1' };
  const { subject, ...line } = lineOf(record, { subject: 'a-hash', traceId: 'f00' });
  t.equal(subject, 'a-hash', 'never in plain text');
  t.match(line, { trace_id: 'f00', client: 'web', auth: 'jwt', upstream_ms: 7.1, upstream_request_id: 'req-1' });
});

test('mints, usage and every kind of refusal are audited', async (t) => {
  const mint = { grants: ['tts', 'stt'], expiresIn: 60, delivery: 'direct', reused: false };
  const minted = { audit: 'mint', grants: 'tts stt', expires_in: 60, delivery: 'direct' };
  const { first: _first, request_id: _id, route: _route, method: _method, status: _status, ...rest } = lineOf({ mint });
  t.strictSame(rest, { outcome: 'ok', ms: 12.3, ...minted });
  t.match(lineOf({ mint: { ...mint, reused: true } }), { ...minted, reused: true });
  const usage = { characters: 5, audioBytes: 1_000, audioSeconds: 1.23456 };
  t.match(lineOf({ usage }), { audit: 'usage', characters: 5, audio_bytes: 1_000, audio_seconds: 1.235 });
  for (const status of [401, 402, 403, 429]) t.equal(lineOf({}, { status })['audit'], 'refusal', `${status}`);
  for (const status of [200, 400, 404, 499, 502]) t.notOk('audit' in lineOf({}, { status }), `${status}`);
});

test('whatever text a caller or issuer supplies, the line is a single line of JSON with the same text', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const record = { client: text, reason: text, upstreamRequestId: text };
      const fields = requestFields({ ...FACTS, route: text }, { ...emptyRecord(), ...record });
      const line = JSON.parse(`{"first":0${fields}}`);
      const isSaid = [line.client, line.reason, line.upstream_request_id, line.route].every((one) => one === text);
      return isSaid && !fields.includes('\n');
    }),
    { examples: [['a"b'], ['a\\b'], ['a\nb'], ['/voices/:id']] },
  );
});
