// A route of your own backend that gives a signed-in user an access token. It replaces a route that used the API key itself.
//
// It takes a Request and returns a Response, as in Next.js, SvelteKit, Remix, Hono, Bun and Deno. For Next.js, in app/api/access-token/route.ts:
//
//   export const POST = createTokenRoute({
//     brokerUrl: process.env.BROKER_URL,
//     appKey: process.env.BROKER_APP_KEY,
//     subjectOf: async () => (await auth())?.user?.id ?? null,
//   });

export interface TokenRouteOptions {
  /** The broker next to this backend; pages need not be able to reach it. */
  readonly brokerUrl: string | undefined;
  /** Made by `cartesia-broker key`. Its client app is `trusted`: it may name users. */
  readonly appKey: string | undefined;
  /** Checks your session. Returns an id that stays the same for a user, 1 to 128 printable ASCII characters; nothing = nobody is signed in. */
  readonly subjectOf: (request: Request) => Promise<string | null | undefined> | string | null | undefined;
}

/** Headers that the helper for apps reads. */
const PASSED = ['content-type', 'cache-control', 'retry-after', 'x-should-retry', 'x-request-id'];

/** Longer than the broker waits for Cartesia, shorter than a page waits. */
const TIMEOUT_MS = 9_000;

export function createTokenRoute({ brokerUrl, appKey, subjectOf }: TokenRouteOptions) {
  return async (request: Request): Promise<Response> => {
    // Checked here, since builds (`next build`) load the route and have no secrets.
    if (!brokerUrl || !appKey) throw new Error('BROKER_URL and BROKER_APP_KEY are needed');
    const subject = await subjectOf(request);
    if (!subject) return new Response(null, { status: 401 });
    try {
      const answer = await fetch(`${brokerUrl}/access-token`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${appKey}`,
          'x-broker-subject': subject,
          'content-type': 'application/json',
        },
        body: await request.text(), // what the page asks for; the broker applies the policy of the client app
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const headers = new Headers();
      for (const name of PASSED) {
        const value = answer.headers.get(name);
        if (value !== null) headers.set(name, value);
      }
      return new Response(await answer.text(), { status: answer.status, headers });
    } catch {
      return new Response(null, { status: 502 });
    }
  };
}
