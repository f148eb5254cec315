// Expect: 100-continue (RFC 9110 §10.1.1): a client that will not be served is told so before it sends its body.
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { startRunningBroker } from './running-broker.ts';

const EXPECT = 'Expect: 100-continue';

test('a valid credential: 100, then the answer, and the connection stays open', async (t) => {
  const { broker, appKey: credential } = await startRunningBroker(t);
  const connection = await openRaw(t, broker.url);
  for (const framing of ['Content-Length: 2', 'Transfer-Encoding: chunked']) {
    connection.send(mintBytes({ credential, fields: [EXPECT], framing: [framing], body: '' }));
    t.equal((await connection.response()).status, 100);
    connection.send(framing.startsWith('T') ? '2\r\n{}\r\n0\r\n\r\n' : '{}');
    const { status, headers } = await connection.response();
    t.equal(status, 200);
    t.not(headers['connection'], 'close');
  }
  connection.send(mintBytes({ credential, fields: [EXPECT, 'Connection: close'], body: '' }));
  t.equal((await connection.response()).status, 100);
  connection.send('{}');
  t.equal((await connection.response()).headers['connection'], 'close', 'a client that asks to close is closed');
  await connection.ended();
});

test('a final status without 100 if the body would be of no use', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  const cases = [
    ['no credential', null, 'Content-Length: 2', 'unauthenticated'],
    ['a bad credential', 'nobody', 'Content-Length: 2', 'unauthenticated'],
    ['a bad credential, chunked', 'nobody', 'Transfer-Encoding: chunked', 'unauthenticated'],
    ['too long a body', appKey, 'Content-Length: 16385', 'payload_too_large'],
  ] as const;
  for (const [name, credential, framing, code] of cases) {
    await t.test(name, async (t) => {
      const connection = await openRaw(t, broker.url);
      connection.send(mintBytes({ credential, fields: [EXPECT], framing: [framing], body: '' }));
      const response = await connection.response();
      isProblem(t, response, code);
      t.equal(response.headers['connection'], 'close', 'it cannot be known whether the next bytes are the body');
      t.ok((await connection.ended()) < 1000);
      t.equal(connection.rest(), '');
      t.strictSame(simulator.journal.entries(), []);
    });
  }
});

test('any other expectation: 417 in the common error shape', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  for (const value of ['tea', '100-continue, tea', '200-ok']) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, fields: [`Expect: ${value}`] }) + mintBytes({ credential }));
    isProblem(t, await connection.response(), 'expectation_failed', value);
    t.ok((await connection.ended()) < 1000);
    t.equal(connection.rest(), '');
  }
  t.strictSame(simulator.journal.entries(), []);
});

test('an expectation does not get past the framing rules', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  for (const value of ['100-continue', 'tea']) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, fields: [`Expect: ${value}`, 'Host: other.test'] }));
    isProblem(t, await connection.response(), 'invalid_request', value);
    await connection.ended();
  }
  t.strictSame(simulator.journal.entries(), []);
});

test('an operator that waits for 100 gets it too', async (t) => {
  const adminToken = randomBytes(24).toString('hex');
  const { broker } = await startRunningBroker(t, { env: { ADMIN_TOKEN: adminToken } });
  const body = '{"scope":"everything"}';
  const send = async (credential: string) => {
    const connection = await openRaw(t, broker.managementUrl);
    const framing = [`Content-Length: ${body.length}`];
    connection.send(mintBytes({ target: '/admin/revocations', credential, fields: [EXPECT], framing, body: '' }));
    return { connection, response: await connection.response() };
  };
  const { connection, response } = await send(adminToken);
  t.equal(response.status, 100);
  connection.send(body);
  t.equal((await connection.response()).status, 201);
  isProblem(t, (await send('nobody')).response, 'unauthenticated');
});

test('HTTP/1.0 has no expectations', async (t) => {
  const { broker, appKey: credential } = await startRunningBroker(t);
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential, version: 'HTTP/1.0', fields: [EXPECT] }));
  t.equal((await connection.response()).status, 200, 'no 100 first');
});
