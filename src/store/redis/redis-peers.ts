// Questions to all replicas over Redis channels: one channel for questions, and one per replica for the answers to it.
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

/** KEYS: replicas by when they were last seen. ARGV: the channel, the question. Returns the number of replicas, and of subscribers. */
const ASK = redisScript(
  `
local time = redis.call('TIME')
local heard = redis.call('PUBLISH', ARGV[1], ARGV[2])
return { redis.call('ZCOUNT', KEYS[1], time[1] - ${FORGOTTEN_AFTER_SECONDS}, '+inf'), heard }
`,
  { read: (answer) => listIn(answer).map(numberIn), hasWritten: never },
);

/** A replica that has not answered by then counts as silent. */
const PATIENCE_MS = 1_000;

export function createRedisPeers({ link, prefix, replica, presence }: RedisPeersOptions): Peers {
  const questions = `${prefix}:peers`;
  const answersOf = (name: string): string => `${prefix}:peer:${name}`;
  const open = new Map<number, (answer: PeerAnswer) => void>();
  let reply: (question: string) => string = () => '';
  let asked = 0;

  /** A replica of another version may send what this one does not understand: one of the two then counts as silent. */
  const hear = (channel: string, onMessage: (message: string) => void): void =>
    link.subscribe(channel, (message) => {
      try {
        onMessage(message);
      } catch {
        // there is nobody to tell
      }
    });
  hear(questions, (message) => {
    const { number, from, text } = JSON.parse(message) as Question; // written by `ask`
    if (from === replica) return;
    const answer: Answer = { number, replica, text: reply(text) };
    // If this is lost, the replica that asked counts this one as silent.
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
        // A known replica may not be subscribed; in a cluster Redis counts only subscribers at the same node.
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
