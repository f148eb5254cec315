// The credentials that callers present in each measurement.
import type { Callers } from './callers.ts';
import { writeCredentials } from './requests.ts';
import type { Credentials } from './workloads.ts';

/** Roughly how many new callers the broker mints for per second of CPU time. A measurement ends when all tokens are used. */
const NEW_TOKENS_PER_SECOND = 3_000;
const SEEN_TOKENS = 1_000;
/** Callers whose traffic is carried, each with an access token of the broker. */
const CARRIED_CALLERS = 100;

/** Writes files of JWTs. @returns the file of a round; round -1 is the warm-up */
export function mintCredentials(
  callers: Callers,
  kind: Credentials,
  { rounds, seconds, warmSeconds }: { readonly rounds: number; readonly seconds: number; readonly warmSeconds: number },
): (round: number) => string {
  if (kind === 'seen') {
    const file = writeCredentials('seen', callers.tokens('ES256', SEEN_TOKENS));
    return () => file;
  }
  const algorithm = kind === 'new ES256' ? 'ES256' : 'RS256';
  const files = new Map<number, string>();
  for (let round = -1; round < rounds; round += 1) {
    const count = Math.ceil(NEW_TOKENS_PER_SECOND * (round === -1 ? warmSeconds : seconds));
    files.set(round, writeCredentials(`${algorithm}-${round}`, callers.tokens(algorithm, count)));
  }
  return (round) => files.get(round) ?? '';
}

/** Writes access tokens like those of an app's users: minted by the broker at `port`, for delivery `proxied`. */
export async function carriedCredentials(callers: Callers, port: number): Promise<string> {
  const tokens: string[] = [];
  for (const jwt of callers.tokens('ES256', CARRIED_CALLERS)) {
    const answer = await fetch(`http://127.0.0.1:${port}/access-token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' },
      body: '{}',
    });
    const body = (await answer.json()) as { readonly token?: string };
    if (body.token === undefined) throw new Error(`the broker mints nothing: ${answer.status} ${JSON.stringify(body)}`);
    tokens.push(body.token);
  }
  return writeCredentials('carried', tokens);
}
