// Creates the minter for each delivery, and the authenticator of our own tokens.
import type { Config, Delivery } from '../config/config.ts';
import type { Authenticator } from '../identity/authenticator.ts';
import type { TokenClient } from '../upstream/token-client.ts';
import { createDirectMinter } from './direct-minter.ts';
import type { Minter } from './minter.ts';
import { type SigningKeys, signingKeys } from './signing-keys.ts';

export interface Minting {
  readonly minters: ReadonlyMap<Delivery, Minter>;
  /** For proxied access tokens, if any are signed. */
  readonly authenticators: readonly Authenticator[];
  /** `null`: nothing is signed. */
  readonly keys: SigningKeys | null;
}

export interface MintingParts {
  readonly client: TokenClient;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export async function createMinting(
  { clients, tokens }: Pick<Config, 'clients' | 'tokens'>,
  { client, now }: MintingParts,
): Promise<Minting> {
  const direct = createDirectMinter({ client, reuse: tokens.reuse, now });
  if (tokens.signingSecrets.length === 0)
    return { minters: new Map([['direct', direct]]), authenticators: [], keys: null };
  const keys = signingKeys(tokens.signingSecrets);
  // jose is loaded only if something is signed.
  const [{ createProxiedMinter }, { createProxiedTokenAuthenticator }] = await Promise.all([
    import('./proxied-minter.ts'),
    import('./proxied-token-authenticator.ts'),
  ]);
  return {
    minters: new Map([
      ['direct', direct],
      ['proxied', createProxiedMinter({ keys, now })],
    ]),
    authenticators: [createProxiedTokenAuthenticator({ keys, clients: new Set(clients.map(({ name }) => name)), now })],
    keys,
  };
}
