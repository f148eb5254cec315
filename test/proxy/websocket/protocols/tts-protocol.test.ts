// What the speech socket counts, and when a context is over, tested without a socket.
import { test } from 'tap';
import { Problem } from '../../../../src/errors/problems.ts';
import { TtsProtocol } from '../../../../src/proxy/websocket/protocols/tts-protocol.ts';
import type { SessionGuard } from '../../../../src/proxy/websocket/session-guard.ts';
import type { SessionRules } from '../../../../src/proxy/websocket/session-rules.ts';

const FREE: SessionRules = {
  content: { models: null, voices: null, languages: null, formats: null, maxTranscript: null },
  maxContexts: 10,
  maxSessionCharacters: null,
  agentOverrides: new Set(),
};

/** A protocol between a client and an upstream that are played by the test. */
function between(rules: Partial<SessionRules> = {}) {
  const told: Record<string, unknown>[] = [];
  const sent: Record<string, unknown>[] = [];
  const turns = new Map<string, (answer: 'go' | Problem) => void>();
  const ended: string[] = [];
  const refused: string[] = [];
  const host = {
    requestId: 'r',
    nowMs: 1_000,
    isClientFull: false,
    touch: () => host.nowMs,
    toClient: (text: string) => void told.push(JSON.parse(text)),
    toUpstream: (text: string) => void sent.push(JSON.parse(text)),
    forward: (frames: Buffer) => void sent.push(JSON.parse(frames.toString())),
    failed: (cause: unknown) => {
      throw cause;
    },
    cut: () => {},
    isRevealing: () => false,
    keyRefused: () => {},
  };
  const guard: SessionGuard = {
    beginContext(id) {
      if (!id.startsWith('held')) return 'go';
      const { promise, resolve } = Promise.withResolvers<'go' | Problem>();
      turns.set(id, resolve);
      return promise;
    },
    endContext: (id) => void ended.push(id),
    contextRefused: (id) => void refused.push(id),
    refused: () => {},
    used: () => {},
    end: () => {},
  };
  const protocol = new TtsProtocol(host, { ...FREE, ...rules }, guard);
  const upstream = (event: object): void => {
    const bytes = Buffer.from(JSON.stringify(event));
    protocol.upstreamText(bytes, 0, bytes.length);
  };
  return {
    protocol,
    host,
    told,
    sent,
    ended,
    refused,
    /** @param rate samples per second; 0 = no format is given */
    say(id: string, transcript: string, rate = 8000) {
      const format = { container: 'raw', encoding: 'pcm_s16le', sample_rate: rate };
      const bytes = Buffer.from(
        JSON.stringify({ context_id: id, transcript, ...(rate === 0 ? {} : { output_format: format }) }),
      );
      return protocol.clientText(bytes, () => bytes);
    },
    /** @returns what the client gets instead; `null` = the text itself */
    hear(text: string) {
      const bytes = Buffer.from(text);
      return protocol.upstreamText(bytes, 0, bytes.length);
    },
    cancel(id: string) {
      const bytes = Buffer.from(JSON.stringify({ context_id: id, cancel: true }));
      return protocol.clientText(bytes, () => bytes);
    },
    chunk: (id: string) => upstream({ type: 'chunk', data: 'AAAA', done: false, context_id: id }),
    done: (id: string) => upstream({ type: 'done', done: true, context_id: id }),
    error: (id: string | null, status: number) =>
      upstream({ type: 'error', done: true, status_code: status, title: 'No', message: 'no', context_id: id }),
    async turn(id: string, answer: 'go' | Problem) {
      turns.get(id)?.(answer);
      await new Promise(setImmediate);
    },
    get characters() {
      return protocol.usage.characters;
    },
  };
}

test('text counts once upstream has accepted it', async (t) => {
  const socket = between();
  socket.say('a', 'four');
  t.equal(socket.characters, 0, 'it is on its way');
  socket.chunk('a');
  t.equal(socket.characters, 4);
  socket.say('a', 'more');
  t.equal(socket.characters, 8, 'at once if the context is already speaking');
  socket.say('b', 'done');
  socket.done('b');
  t.equal(socket.characters, 12, 'even if there was nothing to hear');
  socket.say('c', 'left');
  socket.protocol.end();
  t.equal(socket.characters, 16, 'and if the socket ended before any answer');
});

test('text that waits for a lease is not charged, but counts towards the session limit', async (t) => {
  const socket = between({ maxSessionCharacters: 10 });
  t.equal(socket.say('held', '12345678'), 'drop');
  socket.say('b', '123');
  t.match(socket.told.at(-1), { context_id: 'b', error_code: 'content_not_allowed' });
  await socket.turn('held', new Problem('concurrency_limited'));
  t.strictSame([socket.characters, socket.sent], [0, []]);
  socket.say('c', '1234567890');
  t.equal(socket.told.length, 2, 'the dropped text has used up nothing');

  const other = between();
  other.say('held', 'four');
  await other.turn('held', 'go');
  t.match(other.sent, [{ context_id: 'held' }]);
  other.chunk('held');
  t.equal(other.characters, 4);
});

test('text that upstream refuses does not count, unless it is spoken anyway', async (t) => {
  const socket = between();
  socket.say('a', 'four');
  socket.error('a', 400);
  socket.say('b', 'five!');
  socket.error(null, 429);
  t.equal(socket.characters, 0);
  t.strictSame([socket.ended, socket.refused], [['a', 'b'], ['b']]);
  socket.chunk('a');
  socket.chunk('a');
  t.equal(socket.characters, 4, 'once');
  socket.say('c', 'sixsix');
  socket.chunk('c');
  socket.error('c', 500);
  t.equal(socket.characters, 10, 'speech that began is charged');
  socket.host.nowMs += 61_000;
  socket.protocol.look();
  socket.chunk('b');
  t.equal(socket.characters, 10, 'much later it is forgotten');
});

test('all that was refused of a context counts when it is spoken, however often it was refused', async (t) => {
  const socket = between();
  socket.say('a', 'a text that upstream keeps');
  socket.error('a', 400);
  socket.say('a', 'x');
  socket.error('a', 400);
  socket.say('a', 'yz');
  t.equal(socket.characters, 0);
  socket.chunk('a');
  t.equal(socket.characters, 29);
});

test('a context ended by an error without a context id is cancelled if it speaks on: speech needs a lease', async (t) => {
  const socket = between();
  socket.say('a', 'four');
  socket.chunk('a');
  socket.error(null, 400);
  t.strictSame([socket.ended, socket.sent], [['a'], []], 'most likely the error was about that one');
  socket.say('b', 'the only one by now');
  socket.chunk('a');
  socket.chunk('a');
  t.strictSame(socket.sent, [{ context_id: 'a', cancel: true }], 'once');
  socket.done('b');

  socket.say('c', 'four');
  socket.error(null, 400);
  socket.done('c');
  t.equal(socket.sent.length, 1, 'an end is not speech');

  const long = 'x'.repeat(600);
  socket.say(long, 'a name that is too long to be remembered');
  socket.error(null, 400);
  t.strictSame(socket.sent.slice(1), [{ context_id: long, cancel: true }]);
});

test('each context is timed out by its own silence, and its client is told', async (t) => {
  const socket = between();
  for (const id of ['mute', 'busy']) socket.say(id, 'Hello.');
  for (let seconds = 0; seconds < 61; seconds += 1) {
    socket.host.nowMs += 1_000;
    socket.chunk('busy');
    socket.protocol.look();
  }
  t.strictSame(socket.ended, ['mute']);
  t.match(socket.told, [
    { type: 'error', done: true, status_code: 504, error_code: 'upstream_timeout', context_id: 'mute' },
  ]);

  const slow = between();
  slow.host.isClientFull = true;
  slow.say('a', 'Hello.');
  slow.host.nowMs += 100_000;
  slow.protocol.look();
  t.strictSame(slow.ended, [], 'a client that reads slowly receives upstream’s messages later');
});

test('anything said to or about a context ends its silence', async (t) => {
  const socket = between();
  socket.say('a', 'Hello.');
  socket.host.nowMs += 50_000;
  socket.say('a', 'Are you there?');
  socket.host.nowMs += 50_000;
  socket.protocol.look();
  t.equal(socket.hear('{"type":"timestamps","context_id":"a"}'), null);
  t.equal(socket.characters, 20, 'any event of a context charges its text');
  socket.host.nowMs += 50_000;
  socket.protocol.look();
  t.strictSame(socket.ended, []);
  socket.host.nowMs += 10_001;
  socket.protocol.look();
  t.strictSame(socket.ended, ['a']);
});

test('an error names the context that it is about, unless that has no name', async (t) => {
  for (const id of ['a', '']) {
    const socket = between();
    socket.say(id, 'Hello.');
    const event = JSON.parse(socket.hear('{"type":"error","status_code":400,"title":"No","message":"no"}') ?? '');
    t.equal(event.context_id ?? null, id === '' ? null : id);
    t.strictSame(socket.ended, [id]);
  }
});

test('no field that the broker reads may come in another spelling', async (t) => {
  const socket = between();
  for (const name of [
    ...['model_id', 'transcript', 'voice', 'output_format', 'context_id', 'continue', 'cancel', 'flush'],
    ...['language', 'locale', 'id', 'container', 'encoding', 'sample_rate'],
  ]) {
    for (const fields of [{ [name.toUpperCase()]: 'x' }, { a: { [name.toUpperCase()]: 'x' } }]) {
      const bytes = Buffer.from(JSON.stringify({ context_id: 'c', ...fields }));
      t.equal(
        socket.protocol.clientText(bytes, () => bytes),
        'drop',
        name,
      );
      t.match(socket.told.at(-1), { error_code: 'invalid_request' }, name);
    }
  }
});

test('a context refused while it speaks is cancelled, and over once upstream ends it or falls silent', async (t) => {
  const rules = { content: { ...FREE.content, maxTranscript: 10 } };
  for (const how of ['done', 'silence'] as const) {
    const socket = between(rules);
    socket.say('a', '12345678');
    socket.chunk('a');
    t.equal(socket.say('a', '12345678'), 'drop');
    t.match(socket.told, [{ type: 'error', error_code: 'content_not_allowed', context_id: 'a' }]);
    t.strictSame([socket.sent, socket.ended], [[{ context_id: 'a', cancel: true }], []], 'it still has its lease');
    t.strictSame(socket.protocol.cancels(), []);
    if (how === 'done') socket.done('a');
    else {
      socket.host.nowMs += 4_000;
      socket.chunk('a');
      socket.host.nowMs += 4_000;
      socket.protocol.look();
      t.strictSame(socket.ended, [], 'it goes on speaking');
      socket.host.nowMs += 1_001;
      socket.protocol.look();
    }
    t.strictSame(socket.ended, ['a'], how);
    t.equal(socket.told.length, 1, 'its client is told once');
  }
});

test('text sent after a cancel of its context has a lease for as long as it may be spoken', async (t) => {
  const spoken = between();
  spoken.say('a', 'four');
  spoken.chunk('a');
  spoken.cancel('a');
  t.equal(spoken.say('a', 'five!'), 'pass');
  t.strictSame(spoken.protocol.cancels(), ['{"context_id":"a","cancel":true}'], 'it must be told to stop again');
  spoken.chunk('a');
  spoken.done('a');
  t.strictSame(spoken.ended, [], 'that ended the cancelled part');
  spoken.host.nowMs += 4_000;
  spoken.chunk('a');
  spoken.host.nowMs += 20_000;
  spoken.protocol.look();
  t.strictSame(spoken.ended, [], 'it is spoken, as a context of its own');
  spoken.done('a');
  t.strictSame([spoken.ended, spoken.characters], [['a'], 9]);

  const ignored = between();
  ignored.say('a', 'four');
  ignored.cancel('a');
  ignored.say('a', 'a word that was on its way');
  ignored.done('a');
  ignored.host.nowMs += 5_001;
  ignored.protocol.look();
  t.strictSame([ignored.ended, ignored.told], [['a'], []], 'it was not spoken, so nobody waits for it');
});

test('text sent after a refusal is tracked like any other', async (t) => {
  const socket = between({ content: { ...FREE.content, maxTranscript: 10 } });
  socket.say('a', '12345678');
  socket.say('a', '12345678');
  t.equal(socket.say('a', '12'), 'pass');
  t.match(socket.protocol.farewell(new Problem('draining'), 'other'), [/"context_id":"a"/]);
  socket.say('a', '123');
  t.equal(socket.told.length, 2);
  t.strictSame(socket.sent, Array(2).fill({ context_id: 'a', cancel: true }), 'and cancelled like any other');
});

test('a context cancelled while it waits is over: it takes no turn, and nothing is sent upstream', async (t) => {
  const socket = between();
  socket.say('held', 'four');
  t.equal(socket.cancel('held'), 'drop');
  t.strictSame(socket.told, [{ type: 'done', done: true, status_code: 206, context_id: 'held' }]);
  t.strictSame(socket.ended, ['held']);
  await socket.turn('held', 'go');
  t.strictSame([socket.sent, socket.characters], [[], 0]);
});

test('an error without a context id is not about a waiting context, which upstream has never heard of', async (t) => {
  const socket = between();
  socket.say('held', 'four');
  socket.error(null, 400);
  t.strictSame(socket.ended, []);
  socket.say('a', 'four');
  socket.say('held2', 'four');
  socket.error(null, 400);
  t.strictSame(socket.ended, ['a']);
  await socket.turn('held', 'go');
  t.match(socket.sent, [{ context_id: 'held' }]);
});

test('audio counts however long the context id in front of it is', async (t) => {
  const socket = between();
  const id = 'x'.repeat(3000);
  socket.say(id, 'four');
  const chunk = Buffer.from(`{"type":"chunk","context_id":"${id}","data":"AAAA","done":false}`);
  socket.protocol.upstreamText(chunk, 0, chunk.length);
  t.equal(socket.protocol.usage.audioBytes, 3);
});

test('seconds follow the format of the context, or that of the socket if none is given', async (t) => {
  const silent = between();
  silent.say('a', 'four', 0);
  silent.chunk('a');
  t.match(silent.protocol.usage, { audioBytes: 3, audioSeconds: 0 }, 'unknown');

  const socket = between();
  let seconds = 0;
  const hears = (id: string, rate: number): void => {
    socket.chunk(id);
    seconds += rate === 0 ? 0 : 3 / (2 * rate);
    t.equal(socket.protocol.usage.audioSeconds, seconds, id);
  };
  socket.say('a', 'four', 8000);
  socket.say('b', 'four', 0);
  hears('a', 8000);
  hears('b', 8000);
  socket.say('c', 'four', 16_000);
  hears('a', 8000);
  hears('c', 16_000);
  socket.say('d', 'four', 24_000);
  hears('a', 8000);
  hears('b', 8000);
  hears('c', 16_000);
  hears('d', 24_000);
  hears('who?', 0);
});

test('text from upstream that is no event of a context passes unchanged and ends nothing', async (t) => {
  const socket = between();
  socket.say('a', 'four');
  for (const text of ['', 'hello', 'null', '[]', '"error"', '{"type":"chunk"', '{"type":"timestamps"}'])
    t.equal(socket.hear(text), null, text);
  t.strictSame([socket.ended, socket.told], [[], []]);
});

test('a malformed message is refused under its own context id, or under none if that is unclear', async (t) => {
  const socket = between();
  socket.say('5', 'four');
  for (const [fields, context] of [
    [{ context_id: 5, transcript: 'x' }, undefined],
    [{ context_id: ['5'], transcript: 'x' }, undefined],
    [{ context_id: 'b', cancel: 'yes' }, 'b'],
    [{ context_id: 'b', cancel: true, transcript: 'x' }, 'b'],
    [{ context_id: 'b', transcript: 7 }, 'b'],
    [{ context_id: 'b', language: ['de'] }, 'b'],
    [{ context_id: 'b', language: 'en', locale: 'de-DE' }, 'b'],
    [{ context_id: 'b', voice: { Mode: 'embedding' } }, 'b'],
    [{ context_id: 'b', output_format: { Bit_Rate: 1 } }, 'b'],
  ] as const) {
    const bytes = Buffer.from(JSON.stringify(fields));
    t.equal(
      socket.protocol.clientText(bytes, () => bytes),
      'drop',
    );
    t.match(socket.told.at(-1), { type: 'error', error_code: 'invalid_request' });
    t.equal(socket.told.at(-1)?.['context_id'], context);
  }
  t.strictSame([socket.ended, socket.sent], [[], []]);
  const plain = Buffer.from(JSON.stringify({ context_id: 'b', cancel: null, transcript: null }));
  t.equal(
    socket.protocol.clientText(plain, () => plain),
    'pass',
    'null counts as absent',
  );
});
