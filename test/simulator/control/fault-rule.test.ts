import { test } from 'tap';
import { FaultRuleError, parseFaultRule } from '../../../src/simulator/control/fault-rule.ts';
import type { FaultAction } from '../../../src/simulator/faults.ts';

const ACTIONS: readonly FaultAction[] = [
  { type: 'refuse' },
  { type: 'refuse', at: 'accept' },
  { type: 'hang', at: 'request' },
  { type: 'delay', ms: 5 },
  { type: 'drip', part: 'headers', intervalMs: 1 },
  { type: 'reset', afterBodyBytes: 0 },
  { type: 'half_close', at: 'body', afterBodyBytes: 3 },
  { type: 'garbage', bytes: 'x', keepOpen: true },
  { type: 'truncate_events', afterEvents: 2, partial: true, end: 'reset' },
  { type: 'error_event', afterEvents: 1, problem: 'unexpected' },
  {
    type: 'answer',
    status: 429,
    code: null,
    title: 'T',
    message: 'M',
    fields: { a: 1 },
    retryAfter: 'soon',
    headers: { 'x-a': 'b' },
    html: false,
    body: 'x',
    contentType: 'text/plain',
    echoAuthorization: true,
  },
  { type: 'redirect', location: '/', status: 302 },
  { type: 'big_header', bytes: 10, name: 'x-a' },
  { type: 'close_socket', code: 1013, reason: 'later', afterFrames: 3 },
  { type: 'reset_socket' },
  { type: 'garbage_socket', as: 'text', bytes: '€' },
  { type: 'garbage_socket', as: 'raw', bytes: '\x00\xff' },
];

test('every action can be written as JSON', async (t) => {
  for (const action of ACTIONS) {
    const isAtAccept = 'at' in action && action.at === 'accept';
    const rule = { match: isAtAccept ? {} : { method: 'POST', path: '/tts/*' }, times: 1, action };
    t.strictSame(parseFaultRule(JSON.parse(JSON.stringify(rule))), rule, action.type);
  }
  t.strictSame(parseFaultRule({ action: { type: 'refuse' } }), { match: {}, action: { type: 'refuse' } });
});

test('an invalid rule is refused with the name of the field', async (t) => {
  const cases: readonly [rule: unknown, message: string | RegExp][] = [
    [null, 'a fault rule is an object with match and action'],
    [{}, 'action is missing or not valid'],
    [{ action: 'refuse' }, 'action is missing or not valid'],
    [{ action: { type: 'toString' } }, /^action\.type must be one of refuse, /],
    [{ action: { type: 'refuse', where: 'accept' } }, 'unknown field: action.where'],
    [{ action: { type: 'refuse', at: 'later' } }, 'action.at is missing or not valid'],
    [{ action: { type: 'garbage', bytes: '€' } }, 'action.bytes must be Latin-1, one character for each byte'],
    [{ action: { type: 'garbage_socket', as: 'raw', bytes: '€' } }, /^action\.bytes must be Latin-1/],
    [{ action: { type: 'big_header', bytes: 2 ** 30 } }, 'action.bytes is missing or not valid'],
    [{ match: { path: '/' }, action: { type: 'hang', at: 'accept' } }, /^match must be empty for at: accept/],
    [{ action: { type: 'delay' } }, 'action.ms is missing or not valid'],
    [{ action: { type: 'delay', ms: -1 } }, 'action.ms is missing or not valid'],
    [{ action: { type: 'answer', status: 99 } }, 'action.status is missing or not valid'],
    [{ action: { type: 'answer', status: 503, headers: { a: 1 } } }, 'action.headers is missing or not valid'],
    [{ action: { type: 'answer', status: 503, headers: { 'a b': '1' } } }, 'action.headers is missing or not valid'],
    [{ action: { type: 'answer', status: 503, headers: { a: '1\n2' } } }, 'action.headers is missing or not valid'],
    [{ action: { type: 'answer', status: 503, retryAfter: '\n' } }, 'action.retryAfter is missing or not valid'],
    [{ action: { type: 'answer', status: 503, contentType: '€' } }, 'action.contentType is missing or not valid'],
    [{ action: { type: 'redirect', location: '/€' } }, 'action.location is missing or not valid'],
    [{ action: { type: 'big_header', bytes: 1, name: 'a b' } }, 'action.name is missing or not valid'],
    [{ action: { type: 'delay', ms: 2 ** 31 } }, 'action.ms is missing or not valid'],
    [{ action: { type: 'drip', part: 'body', intervalMs: 2 ** 31 } }, 'action.intervalMs is missing or not valid'],
    [{ action: { type: 'error_event', afterEvents: 0, problem: 'x' } }, 'action.problem is missing or not valid'],
    [{ action: { type: 'close_socket', code: 5 } }, 'action.code is missing or not valid'],
    [{ action: { type: 'refuse' }, match: { host: 'x' } }, 'unknown field: match.host'],
    [{ action: { type: 'refuse' }, match: { path: 7 } }, 'match.path is missing or not valid'],
    [{ action: { type: 'refuse' }, times: 1.5 }, 'times is missing or not valid'],
    [{ action: { type: 'refuse' }, when: 'now' }, 'unknown field: when'],
  ];
  for (const [rule, message] of cases) {
    t.throws(() => parseFaultRule(rule), { name: 'FaultRuleError', message }, JSON.stringify(rule));
  }
  t.throws(() => parseFaultRule([]), FaultRuleError);
});
