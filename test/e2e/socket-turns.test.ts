// Generations that wait for their turn inside a socket: kept in order, while those of other contexts go on.
import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { OPEN_GUARD, type SessionGuards } from '../../src/proxy/websocket/session-guard.ts';
import { closeFrameOf, frameOf, openRawSocket } from './raw-socket.ts';
import { logged, speech, startSocketBroker } from './socket-broker.ts';

interface Turn {
  readonly id: string;
  readonly give: (answer: 'go' | Problem) => void;
}

function waitingGuards() {
  const turns: Turn[] = [];
  const ended: string[] = [];
  let cut: (problem: Problem) => void = () => {};
  let sessions = 0;
  const guards: SessionGuards = {
    open(facts) {
      sessions += 1;
      cut = facts.cut;
      return {
        beginContext(id) {
          if (id.startsWith('free')) return 'go';
          const { promise, resolve } = Promise.withResolvers<'go' | Problem>();
          turns.push({ id, give: resolve });
          return promise;
        },
        endContext: (id) => void ended.push(id),
        contextRefused: () => {},
        refused: () => {},
        used: () => {},
        end: () => {
          sessions -= 1;
        },
      };
    },
  };
  return { guards, turns, ended, cut: (problem: Problem) => cut(problem), open: () => sessions };
}

test('a context that waits keeps its messages in order, and others overtake it', async (t) => {
  const waiting = waitingGuards();
  const running = await startSocketBroker(t, { seams: { guards: waiting.guards } });
  const { broker, headers, simulator } = running;
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const parts = ['One, ', 'two, ', 'three.'];
  for (const [n, part] of parts.entries()) socket.send(frameOf(1, speech('a', part, { continue: n < 2 })));
  socket.send(frameOf(1, speech('free', 'Me first.')));
  let event = await socket.event();
  while (event['type'] === 'chunk') {
    t.equal(event['context_id'], 'free');
    event = await socket.event();
  }
  t.match(event, { type: 'done', context_id: 'free' });
  t.strictSame(waiting.ended, ['free']);

  waiting.turns[0]?.give('go');
  do event = await socket.event();
  while (event['type'] === 'chunk');
  t.match(event, { type: 'done', context_id: 'a' });
  const [entry] = simulator.journal.entries();
  const sent = entry?.frames.filter(({ from, kind }) => from === 'client' && kind === 'text');
  t.strictSame(
    sent?.map(({ text = '' }) => JSON.parse(text).transcript),
    ['Me first.', ...parts],
  );
  t.strictSame(waiting.ended, ['free', 'a']);
});

test('a turn that never comes is an error for its context, a cancel while waiting ends it, and upstream sees neither', async (t) => {
  const waiting = waitingGuards();
  const running = await startSocketBroker(t, { seams: { guards: waiting.guards } });
  const { broker, headers, simulator } = running;
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('a', 'Hello.')), frameOf(1, speech('b', 'Hello.')));
  socket.send(frameOf(1, JSON.stringify({ context_id: 'b', cancel: true })));
  t.match(await socket.event(), { type: 'done', done: true, context_id: 'b' }, 'its reader is not left waiting');
  waiting.turns[0]?.give(new Problem('concurrency_limited'));
  t.match(await socket.event(), {
    type: 'error',
    status_code: 429,
    error_code: 'concurrency_limited',
    context_id: 'a',
  });
  waiting.turns[1]?.give('go');
  socket.send(closeFrameOf(1000));
  t.match(await logged(running, ({ msg }) => msg === 'socket closed'), { characters: 0 });
  t.strictSame(waiting.ended, ['b', 'a']);
  t.equal(waiting.open(), 0);
  t.notOk(simulator.journal.entries()[0]?.frames.some(({ kind }) => kind === 'text'));
});

test('more than a megabyte waiting for a turn is refused', async (t) => {
  const waiting = waitingGuards();
  const { broker, headers } = await startSocketBroker(t, { seams: { guards: waiting.guards } });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  for (let n = 0; n < 6; n += 1) socket.send(frameOf(1, speech('a', 'x'.repeat(200_000), { continue: true })));
  t.match(await socket.event(), { type: 'error', error_code: 'concurrency_limited', context_id: 'a' });
});

test('a socket that is cut, for a budget or by an operator, gets an error for each context and 1008', async (t) => {
  const waiting = waitingGuards();
  const { broker, headers } = await startSocketBroker(t, {
    simulator: { settings: { latency: { perChunkMs: 60_000 } } },
    seams: { guards: waiting.guards },
  });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('free', 'A sentence with more than one chunk, so that it stays unfinished.')));
  t.match(await socket.event(), { type: 'chunk' });
  socket.send(frameOf(1, speech('a', 'Waiting.')));
  socket.send(frameOf(9, 'heard?'));
  while ((await socket.frame()).opcode !== 10);
  waiting.cut(new Problem('quota_exceeded'));
  for (const id of ['free', 'a']) {
    t.match(await socket.event(), { type: 'error', status_code: 402, error_code: 'quota_exceeded', context_id: id });
  }
  t.strictSame(await socket.closing(), { code: 1008, reason: 'quota_exceeded' });
  t.equal(waiting.open(), 0);
});

test('a socket for which no slot is free is refused with a status', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t, {
    seams: { guards: { open: () => Promise.reject(new Problem('concurrency_limited')) } },
  });
  await t.rejects(openRawSocket(t, broker.url, '/tts/websocket', headers), /HTTP\/1.1 429 /);
  t.equal(simulator.journal.entries().length, 0);
});

test('a fault of the broker in handling a message ends its socket, and no other', async (t) => {
  const fault = new TypeError('made by the test');
  let sessions = 0;
  const running = await startSocketBroker(t, {
    simulator: { settings: { latency: { perChunkMs: 20 } } },
    seams: {
      guards: {
        open() {
          sessions += 1;
          return {
            ...OPEN_GUARD,
            beginContext(id) {
              if (id === 'fault-up') throw fault;
              return 'go';
            },
            endContext(id) {
              if (id === 'fault-down') throw fault;
            },
            end() {
              sessions -= 1;
            },
          };
        },
      },
    },
  });
  const { broker, headers } = running;
  const other = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  for (const id of ['fault-up', 'fault-down']) {
    running.logs.length = 0;
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    socket.send(
      frameOf(1, speech('busy', 'A sentence with more than one chunk, so that it stays unfinished for a while.')),
    );
    t.match(await socket.event(), { type: 'chunk', context_id: 'busy' });
    socket.send(frameOf(1, speech(id, 'Hi.')));
    const errors: unknown[] = [];
    while (!errors.includes('busy')) {
      const event = await socket.event();
      if (event['type'] === 'error') errors.push(event['context_id']);
      if (event['type'] === 'error') t.match(event, { status_code: 500, error_code: 'internal_error' }, id);
    }
    t.strictSame(await socket.closing(), { code: 1011, reason: 'internal_error' });
    await socket.ended();
    await t.rejects(socket.frame(), { message: /^ended before .*; left: $/ }, 'nothing follows the close frame');
    t.match(await logged(running, ({ msg }) => msg === 'request failed'), {
      level: 'error',
      outcome: 'internal_error',
    });
    t.match(await logged(running, ({ msg }) => msg === 'socket closed'), {
      outcome: 'internal_error',
      close_code: 1011,
    });
  }
  t.match(await (await fetch(`${broker.managementUrl}/metrics`)).text(), /^broker_internal_errors_total 2$/m);
  t.equal(sessions, 1, 'what they held is given back');
  other.send(frameOf(1, speech('fine', 'Hi.')));
  while ((await other.event())['type'] !== 'done');
});

test("the wait for a slot does not count as Cartesia's time", async (t) => {
  let now = 10_000;
  let hasRoom = true;
  const running = await startSocketBroker(t, {
    seams: {
      relays: { now: () => now },
      guards: {
        async open() {
          now += 2000;
          if (!hasRoom) throw new Problem('concurrency_limited');
          return OPEN_GUARD;
        },
      },
    },
  });
  await openRawSocket(t, running.broker.url, '/tts/websocket', running.headers);
  t.equal((await logged(running, ({ status }) => status === 101))['upstream_ms'], 0);
  hasRoom = false;
  await t.rejects(openRawSocket(t, running.broker.url, '/tts/websocket', running.headers), /HTTP\/1.1 429 /);
  t.notOk('upstream_ms' in (await logged(running, ({ status }) => status === 429)), 'Cartesia was never asked');
});
