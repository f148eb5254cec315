import { test } from 'tap';
import { requestHeaders } from '../../src/proxy/request-headers.ts';

const OURS = ['accept-encoding', 'identity', 'user-agent', 'cartesia-broker'];

test('only Accept, Content-Type and X-Cartesia-Client pass', async (t) => {
  const sent = {
    host: 'broker.test',
    connection: 'keep-alive',
    accept: 'audio/wav',
    'content-type': 'application/json; charset=utf-8',
    'x-cartesia-client': 'cartesia-js/4.2.0',
    authorization: 'Bearer token',
    'x-api-key': 'key',
    'proxy-authorization': 'Basic x',
    'cartesia-version': '1999-01-01',
    cookie: 'session=1',
    origin: 'https://app.example.com',
    referer: 'https://app.example.com/secret',
    'user-agent': 'cartesia-js/4.2.0',
    'accept-encoding': 'gzip, br',
    'accept-language': 'de',
    'content-length': '12',
    'transfer-encoding': 'chunked',
    te: 'trailers',
    trailer: 'x',
    upgrade: 'h2c',
    'keep-alive': 'timeout=5',
    'proxy-connection': 'keep-alive',
    expect: '100-continue',
    'if-none-match': '"x"',
    range: 'bytes=0-1',
    'x-forwarded-for': '10.0.0.1',
    forwarded: 'for=10.0.0.1',
    via: '1.1 x',
    'x-broker-subject': 'user-1',
    'x-stainless-lang': 'js',
    'x-original-url': '/agents/calls',
    'x-http-method-override': 'DELETE',
  };
  t.strictSame(requestHeaders(sent, null), [
    'accept',
    'audio/wav',
    'content-type',
    'application/json; charset=utf-8',
    'x-cartesia-client',
    'cartesia-js/4.2.0',
    ...OURS,
  ]);
});

test('a request without headers gets only ours', async (t) => {
  t.strictSame(requestHeaders({}, null), OURS);
  t.strictSame(requestHeaders({}, 'application/json'), ['content-type', 'application/json', ...OURS]);
});

test('the client’s media type takes precedence over the default', async (t) => {
  const sent = { 'content-type': 'application/json', 'x-cartesia-client': 'c' };
  t.strictSame(requestHeaders(sent, 'application/x'), [
    'content-type',
    'application/json',
    'x-cartesia-client',
    'c',
    ...OURS,
  ]);
});

test('a media type is sent once, and added if the client names none', async (t) => {
  t.strictSame(requestHeaders({ 'content-type': 'a/b' }, 'application/json'), ['content-type', 'a/b', ...OURS]);
  t.strictSame(requestHeaders({ accept: 'a/b' }, 'application/json'), [
    'accept',
    'a/b',
    'content-type',
    'application/json',
    ...OURS,
  ]);
});

test('a field that Connection names is not passed on', async (t) => {
  const sent = { accept: 'a', 'content-type': 'b', 'x-cartesia-client': 'c' };
  const names = (connection: string): string[] =>
    requestHeaders({ ...sent, connection }, null).filter((_, at) => at % 2 === 0);
  t.notOk(names('accept').includes('accept'));
  t.notOk(names('keep-alive, Accept ,x').includes('accept'));
  t.notOk(names('X-CARTESIA-CLIENT').includes('x-cartesia-client'));
  t.ok(names('x-accept, accept-x').includes('accept'), 'a name that only contains this one is another name');
});

test('a body whose media type Connection names still gets its media type', async (t) => {
  const list = requestHeaders({ connection: 'content-type', 'content-type': 'application/json' }, 'application/json');
  t.strictSame(list, ['content-type', 'application/json', ...OURS]);
});
