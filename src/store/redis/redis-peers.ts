// Questions to all replicas through Redis' channels: one that all hear, and one for the answers to each.
import type { PeerAnswer, Peers } from '../peers.ts';
import type { RedisLink } from './redis-link.ts';
import { FORGOTTEN_AFTER_SECONDS, type RedisPresence } from './redis-presence.ts';
import { listIn, never, numberIn, redisScript } from './redis-script.ts';

export interface RedisPeersOptions {
  readonly link: RedisLink;
  readonly prefix: string;
  readonly replica: string;
  readonly presence: RedisPresence;
}

interface Question {
  readonly number: number;
  readonly from: string;
  readonly text: string;
}

interface Answer extends PeerAnswer {
  readonly number: number;
}

/** KEYS: replicas by when they were heard of. ARGV: the channel, the question. Tells how many replicas there are, and how many hear it. */
const ASK = redisScript(
  `
local time = redis.call('TIME')
local heard = redis.call('PUBLISH', ARGV[1], ARGV[2])
return { redis.call('ZCOUNT', KEYS[1], time[1] - ${FORGOTTEN_AFTER_SECONDS}, '+inf'), heard }
`,
  { read: (answer) => listIn(answer).map(numberIn), hasWritten: never },
);

/** Whoever has not answered by then is silent. */
const PATIENCE_MS = 1_000;

export function createRedisPeers({ link, prefix, replica, presence }: RedisPeersOptions): Peers {
  const questions = `${prefix}:peers`;
  const answersOf = (name: string): string => `${prefix}:peer:${name}`;
  const open = new Map<number, (answer: PeerAnswer) => void>();
  let reply: (question: string) => string = () => '';
  let asked = 0;

  /** A replica of another version may say what this one does not understand: it then counts as silent, or this one does. */
  const hear = (channel: string, onMessage: (message: string) => void): void =>
    link.subscribe(channel, (message) => {
      try {
        onMessage(message);
      } catch {
        // nobody can be told
      }
    });
  hear(questions, (message) => {
    const { number, from, text } = JSON.parse(message) as Question; // written by `ask`
    if (from === replica) return;
    const answer: Answer = { number, replica, text: reply(text) };
    // Whoever does not hear it counts this replica as silent.
    link.command('peer_answer', 'PUBLISH', answersOf(from), JSON.stringify(answer)).catch(() => {});
  });
  hear(answersOf(replica), (message) => {
    const { number, ...answer } = JSON.parse(message) as Answer; // written above
    open.get(number)?.(answer);
  });

  return {
    async ask(text) {
      asked += 1;
      const number = asked;
      const answers: PeerAnswer[] = [];
      const { promise: enough, resolve: end } = Promise.withResolvers<void>();
      let others = Number.POSITIVE_INFINITY;
      const timer = setTimeout(end, PATIENCE_MS);
      open.set(number, (answer) => {
        answers.push(answer);
        if (answers.length >= others) end();
      });
      try {
        const question: Question = { number, from: replica, text };
        const counts = await link.run('peer_ask', ASK, [presence.key], [questions, JSON.stringify(question)]);
        // Some are known and do not hear it; in a cluster Redis counts only those who listen at the same node.
        others = Math.max(1, ...counts) - 1;
        if (answers.length < others) await enough;
      } catch {
        others = presence.replicas - 1; // this one can answer for itself
      }
      clearTimeout(timer);
      open.delete(number);
      return { answers: [{ replica, text: reply(text) }, ...answers], silent: Math.max(0, others - answers.length) };
    },
    answer(given) {
      reply = given;
    },
  };
}
