// The head of the OpenAPI document.
import type { Introduction } from './describe.ts';

/** @param version of the broker */
export function introduction(version: string): Introduction {
  return {
    info: {
      title: 'Cartesia token broker',
      version,
      summary:
        "Hands out short-lived Cartesia access tokens to your app's users, so that no app ever holds your API key.",
      description: [
        'Your users bring a credential that they already have: a session token of your identity provider, or an app key. The broker decides what they may do and answers with an access token for exactly that.',
        'Every response has `x-request-id`. Every failure is the structured error of Cartesia with the additional field `source`. `x-should-retry` and `retry-after` say whether and when to try again; the official SDKs obey both. A path that does not exist is answered with 404 `not_found`.',
      ].join('\n\n'),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The broker that serves this document.' }],
    tags: [
      { name: 'tokens', description: 'Exchange of a credential for an access token.' },
      {
        name: 'carried',
        description:
          "Cartesia's own paths, carried by the broker if the operator has switched `PROXY` on, usually for an access token of delivery `proxied`. Any other path of Cartesia is answered with 404.",
      },
      { name: 'operation', description: 'For monitors, supervisors and load balancers. No credential.' },
      { name: 'reference', description: 'This reference. No credential.' },
    ],
  };
}
