import { type Test, test } from 'tap';
import type { Problem } from '../../src/errors/problems.ts';
import { createAllSessions } from '../../src/limits/all-sessions.ts';
import type { LimitEvent } from '../../src/limits/limit-event.ts';
import { createRevocations, type Revocations } from '../../src/limits/revocations.ts';
import { createSessions, type Session, type Sessions } from '../../src/limits/sessions.ts';
import { createMemoryPeers } from '../../src/store/memory-peers.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Peers } from '../../src/store/peers.ts';

interface SetUp {
  readonly sessions: Sessions;
  readonly revocations: Revocations;
  readonly events: LimitEvent[];
  /** The problem that each session was ended with. */
  readonly cuts: (readonly [string, Problem])[];
  readonly open: (id: string, client: string, subject: string, rest?: Partial<Session['principal']>) => () => void;
}

function setUp(t: Test): SetUp {
  const events: LimitEvent[] = [];
  const onEvent = (event: LimitEvent): void => void events.push(event);
  const revocations = createRevocations({ store: createMemoryStore(), onEvent });
  t.teardown(() => revocations.close());
  const sessions = createSessions({ revocations, onEvent });
  const cuts: (readonly [string, Problem])[] = [];
  return {
    sessions,
    revocations,
    events,
    cuts,
    open: (id, client, subject, rest = {}) =>
      sessions.add({
        id,
        principal: { client, subject, method: 'access_token', claims: { jti: `of ${id}` }, ...rest },
        endpoint: '/tts/websocket',
        cut: (problem) => cuts.push([id, problem]),
      }),
  };
}

test('a session is listed until it ends, with the id of its token if that is one of ours', async (t) => {
  const { sessions, open } = setUp(t);
  const startedMs = performance.now();
  const end = open('1', 'web', 'ann');
  open('2', 'web', 'bob', { method: 'jwt' });
  open('3', 'ios', 'ann', { claims: { jti: 7 } });
  t.equal(sessions.open, 3);
  const views = sessions.list();
  t.strictSame(
    views.map(({ ageMs: _ageMs, ...rest }) => rest),
    [
      { id: '1', client: 'web', subject: 'ann', token: 'of 1', endpoint: '/tts/websocket' },
      { id: '2', client: 'web', subject: 'bob', token: null, endpoint: '/tts/websocket' },
      { id: '3', client: 'ios', subject: 'ann', token: null, endpoint: '/tts/websocket' },
    ],
  );
  const ageMax = performance.now() - startedMs + 1;
  t.ok(views.every(({ ageMs }) => Number.isInteger(ageMs) && ageMs >= 0 && ageMs <= ageMax));
  end();
  end();
  t.equal(sessions.open, 2);
  t.notOk(sessions.kill('1'), 'it has ended');
});

test('a session is ended by its id, and no other is', async (t) => {
  const { sessions, open, cuts, events } = setUp(t);
  open('1', 'web', 'ann');
  open('2', 'web', 'ann');
  t.ok(sessions.kill('2'));
  t.match(cuts, [['2', { code: 'token_revoked', message: 'The operator has ended this session.' }]]);
  t.equal(cuts.length, 1);
  t.strictSame(events, [{ type: 'cut', client: 'web', reason: 'killed' }]);
});

test('sessions of a revoked caller end at once, and no others do', async (t) => {
  const { revocations, open, cuts, events } = setUp(t);
  open('1', 'web', 'ann');
  open('2', 'web', 'bob');
  await revocations.add({ scope: 'subject', client: 'web', subject: 'ann' });
  t.match(cuts, [['1', { code: 'token_revoked', message: 'The operator has shut this caller out.' }]]);
  t.equal(cuts.length, 1);
  t.strictSame(events, [{ type: 'cut', client: 'web', reason: 'revoked' }]);
});

test('across replicas: sessions are filtered, and at most a thousand per replica are listed', async (t) => {
  const { sessions, open } = setUp(t);
  const all = createAllSessions(sessions, createMemoryPeers('here'));
  open('1', 'web', 'ann');
  open('2', 'web', 'bob');
  open('3', 'ios', 'ann');
  const listed = async (client: string | null, subject: string | null): Promise<string[]> =>
    (await all.list({ client, subject })).sessions.map(({ id, replica }) => `${replica}/${id}`);
  t.strictSame(await listed(null, null), ['here/1', 'here/2', 'here/3']);
  t.strictSame(await listed('web', null), ['here/1', 'here/2']);
  t.strictSame(await listed(null, 'ann'), ['here/1', 'here/3']);
  t.strictSame(await listed('web', 'ann'), ['here/1']);
  t.match(await all.list({ client: null, subject: null }), { leftOut: 0, silent: 0 });
  for (let i = 4; i <= 1_002; i += 1) open(`${i}`, 'tv', 'eve');
  const { sessions: many, leftOut } = await all.list({ client: null, subject: null });
  t.strictSame([many.length, leftOut], [1_000, 2]);
});

test('across replicas: a session is ended by the replica that carries it, and silent replicas are counted', async (t) => {
  const [mine, theirs] = [setUp(t), setUp(t)];
  const asked: string[] = [];
  const answers: ((question: string) => string)[] = [];
  const peers: Peers = {
    answer: (reply) => void answers.push(reply),
    ask: async (question) => {
      asked.push(question);
      return { answers: answers.map((reply, i) => ({ replica: `r${i}`, text: reply(question) })), silent: 3 };
    },
  };
  const all = createAllSessions(mine.sessions, peers);
  createAllSessions(theirs.sessions, peers);
  mine.open('1', 'web', 'ann');
  theirs.open('2', 'web', 'ann');
  t.match(await all.list({ client: 'web', subject: null }), {
    sessions: [
      { id: '1', replica: 'r0' },
      { id: '2', replica: 'r1' },
    ],
    leftOut: 0,
    silent: 3,
  });
  t.strictSame(await all.kill('1'), { killed: true, silent: 0 }, 'found on this replica, so no other is asked');
  t.equal(asked.length, 1);
  t.strictSame(await all.kill('2'), { killed: true, silent: 3 });
  t.strictSame(await all.kill('none'), { killed: false, silent: 3 });
  t.strictSame([mine.cuts.length, theirs.cuts.length], [1, 1]);
});
