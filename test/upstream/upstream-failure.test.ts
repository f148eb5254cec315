import { test } from 'tap';
import {
  problemOfFailure,
  quoteForLog,
  toUpstreamFailure,
  UpstreamFailure,
} from '../../src/upstream/upstream-failure.ts';
import { everythingIn } from './client-under-test.ts';

function coded(code: unknown): Error {
  return Object.assign(new Error('SECRET in the message'), { code, data: 'SECRET', socket: { secret: 'SECRET' } });
}

test('errors of Node and undici become a kind and a code', async (t) => {
  const table = [
    ['ECONNREFUSED', 'unreachable'],
    ['ENOTFOUND', 'unreachable'],
    ['EMFILE', 'exhausted'],
    ['ENFILE', 'exhausted'],
    ['UND_ERR_CONNECT_TIMEOUT', 'connect_timeout'],
    ['ETIMEDOUT', 'connect_timeout'],
    ['ECONNRESET', 'cut'],
    ['EPIPE', 'cut'],
    ['UND_ERR_SOCKET', 'cut'],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'malformed'],
    ['UND_ERR_HEADERS_OVERFLOW', 'oversized'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls'],
    ['CERT_HAS_EXPIRED', 'tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls'],
    ['EPROTO', 'tls'],
    ['UND_ERR_INVALID_ARG', 'internal'],
  ] as const;
  for (const [code, kind] of table) {
    const failure = toUpstreamFailure(coded(code));
    t.equal(failure.kind, kind, code);
    t.equal(failure.message, `${kind}: ${code}`);
    t.notMatch(everythingIn(failure), /SECRET/);
  }
});

test('a parse error of undici carries upstream’s bytes: none of them are kept', async (t) => {
  const error = Object.assign(coded(undefined), { name: 'HTTPParserError' });
  const failure = toUpstreamFailure(error);
  t.match(failure, { kind: 'malformed', code: 'HTTPParserError', message: 'malformed: HTTPParserError' });
  t.notMatch(everythingIn(failure), /SECRET/);
});

test('an error without a code, or with free text as its code, reveals nothing', async (t) => {
  for (const error of [coded(undefined), coded('SECRET text'), coded(7), 'SECRET', null, undefined, {}]) {
    const failure = toUpstreamFailure(error);
    t.equal(failure.code, 'UNKNOWN');
    t.notMatch(everythingIn(failure), /SECRET/);
  }
  const own = new UpstreamFailure('deadline', '5 ms');
  t.equal(toUpstreamFailure(own), own);
});

test('text from upstream is quoted without anything that could be a credential', async (t) => {
  t.equal(
    quoteForLog('Too many concurrent requests: You have exceeded your plan’s concurrency limit.'),
    'Too many concurrent requests: You have exceeded your plan’s concurrency limit.',
  );
  const key = 'sk_car_9vQ2mXc7LrT4.hYb8KzPw3NdF6sJe';
  const encodings = [
    key,
    `Bearer ${key}`,
    `"${key}"`,
    Buffer.from(key).toString('base64'),
    Buffer.from(`x${key}`).toString('base64url'),
    Buffer.from(key).toString('hex'),
    encodeURIComponent(key),
    [...key].map((letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join(''),
    key.slice(3, 15),
  ];
  for (const text of encodings) {
    const quoted = quoteForLog(`Unauthorized: ${text} is wrong`);
    t.equal(quoted.replace('Bearer ', ''), 'Unauthorized: […] is wrong', text);
  }
  t.equal(quoteForLog('a\r\nb\u0000c'), 'a b c');
  t.ok(quoteForLog('word '.repeat(500)).length <= 300);
});

test('a failure appears as unavailable, late, overloaded or our fault, with its cause for the log', async (t) => {
  const table = [
    ['unreachable', 'upstream_unavailable', 502],
    ['exhausted', 'overloaded', 503],
    ['tls', 'upstream_unavailable', 502],
    ['cut', 'upstream_unavailable', 502],
    ['malformed', 'upstream_unavailable', 502],
    ['oversized', 'upstream_unavailable', 502],
    ['connect_timeout', 'upstream_timeout', 504],
    ['deadline', 'upstream_timeout', 504],
    ['internal', 'internal_error', 500],
  ] as const;
  for (const [kind, code, status] of table) {
    const failure = new UpstreamFailure(kind, 'CODE');
    const problem = problemOfFailure(failure);
    t.equal(problem.code, code, kind);
    t.equal(problem.status, status);
    t.equal(problem.details.cause, failure);
    t.notMatch(problem.message, /CODE/);
  }
});

test('a code is kept only if all of it looks like one', async (t) => {
  for (const code of [
    'key sk_car_A',
    'sk_car_KEY',
    'ECONNRESET sk',
    'ECONNRESET\n',
    'econnreset',
    '',
    `E${'X'.repeat(64)}`,
    7,
  ]) {
    const { kind, code: told } = toUpstreamFailure(Object.assign(new Error('x'), { code }));
    t.strictSame([kind, told], ['cut', 'UNKNOWN'], String(code));
  }
  t.equal(toUpstreamFailure(Object.assign(new Error('x'), { code: 'X_CERT_' })).kind, 'cut', 'not a certificate code');
});
