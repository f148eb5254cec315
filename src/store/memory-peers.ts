// The peers of a single replica: there are none.
import type { Peers } from './peers.ts';

export function createMemoryPeers(replica: string): Peers {
  let reply: (question: string) => string = () => '';
  return {
    ask: async (question) => ({ answers: [{ replica, text: reply(question) }], silent: 0 }),
    answer(given) {
      reply = given;
    },
  };
}
