// A real OpenID Connect provider on loopback, which signs users in and can rotate its keys while it runs.
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Context, Provider } from 'oidc-provider';
import { request } from 'undici';
import { createOidcStore, type OidcAdapter } from './oidc-store.ts';

/** What a user requests when signing in. */
export interface SignIn {
  /** Default `user-1`. */
  readonly sub?: string;
  /** Space-separated; only the scopes given in `OidcProviderOptions` are granted. Default: all of them. */
  readonly scope?: string;
  /** Audience of the access token. Default `voice`. */
  readonly audience?: string;
  /** Seconds. Default 300. */
  readonly expiresIn?: number;
  readonly alg?: 'RS256' | 'ES256';
  /** Further claims of the access token, such as roles. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface OidcProvider {
  readonly issuer: string;
  /** Requested paths, in order, to see how often a relying party fetches keys. */
  readonly requests: readonly string[];
  /** Signs a user in (authorization code flow with PKCE over HTTP). The access token is a JWT (RFC 9068). */
  signIn(wish?: SignIn): Promise<{ readonly accessToken: string; readonly idToken: string }>;
  /** The access token of `signIn`. */
  mintToken(wish?: SignIn): Promise<string>;
  /** Signs with new keys from now on. The old ones stay published unless `dropOld`. */
  rotate(options?: { readonly dropOld?: boolean }): void;
  close(): Promise<void>;
}

export interface OidcProviderOptions {
  /** Scopes of the API that the tokens are for. Default `speak listen`. */
  readonly scopes?: string;
}

/** Client id of the one relying party; ID tokens have it as their audience. */
export const OIDC_CLIENT_ID = 'app';

const REDIRECT_URI = 'https://app.example.com/callback';
const DEFAULT_TTL = 300;
const COOKIE_KEY = randomBytes(16).toString('hex');
const RESOURCE = 'https://voice.example.com/';

export async function startOidcProvider({ scopes = 'speak listen' }: OidcProviderOptions = {}): Promise<OidcProvider> {
  const wishes = new Map<string, SignIn>();
  const requests: string[] = [];
  let keys = createKeys();
  const server = createServer((req, res) => {
    requests.push((req.url ?? '').split('?', 1)[0] ?? '');
    void (req.url?.startsWith('/sign-in/') ? finishSignIn(provider, wishes, req, res) : callback(req, res));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const adapter = createOidcStore();
  // A provider's keys are fixed at construction, so a new provider takes over the address and the store.
  const create = () => new Provider(issuer, configuration(keys, wishes, scopes, adapter));
  let provider = create();
  let callback = provider.callback();

  async function signIn(wish: SignIn = {}) {
    const id = randomUUID();
    wishes.set(id, wish);
    try {
      return await authorizationCodeFlow(issuer, id, `openid ${wish.scope ?? scopes}`);
    } finally {
      wishes.delete(id);
    }
  }

  return {
    issuer,
    requests,
    signIn,
    mintToken: async (wish) => (await signIn(wish)).accessToken,
    rotate({ dropOld = false } = {}) {
      keys = dropOld ? createKeys() : [...createKeys(), ...keys];
      provider = create();
      callback = provider.callback();
    },
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function createKeys(): readonly object[] {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return [
    { ...rsa.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' },
    { ...ec.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'ES256' },
  ];
}

function configuration(
  keys: readonly object[],
  wishes: ReadonlyMap<string, SignIn>,
  scopes: string,
  adapter: (model: string) => OidcAdapter,
): Readonly<Record<string, unknown>> {
  const wishFor = (resource: string) => wishes.get(resource.slice(RESOURCE.length)) ?? {};
  return {
    jwks: { keys },
    adapter,
    cookies: { keys: [COOKIE_KEY] },
    scopes: ['openid'],
    clients: [
      {
        client_id: OIDC_CLIENT_ID,
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
      },
    ],
    ttl: {
      AccessToken: (_: unknown, token: { resourceServer?: { accessTokenTTL: number } }) =>
        token.resourceServer?.accessTokenTTL ?? DEFAULT_TTL,
      AuthorizationCode: 60,
      IdToken: DEFAULT_TTL,
      Interaction: 60,
      Session: 60,
      Grant: 60,
    },
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub }) }),
    interactions: { url: (_: unknown, interaction: { uid: string }) => `/sign-in/${interaction.uid}` },
    loadExistingGrant,
    extraTokenClaims: (_: unknown, token: { resourceServer?: { identifier(): string } }) =>
      token.resourceServer && wishFor(token.resourceServer.identifier()).claims,
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo(_: unknown, resource: string) {
          const { audience = 'voice', expiresIn = DEFAULT_TTL, alg = 'RS256' } = wishFor(resource);
          return {
            scope: scopes,
            audience,
            accessTokenTTL: expiresIn,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg } },
          };
        },
      },
    },
  };
}

/** Treats every user as having consented to everything. */
async function loadExistingGrant(this: unknown, ctx: Context & { oidc: { provider: Provider } }): Promise<unknown> {
  const { client, session, params, provider } = ctx.oidc;
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope('openid');
  if (params['resource'] && params['scope']) grant.addResourceScope(params['resource'], params['scope']);
  await grant.save();
  return grant;
}

/** The sign-in page: the user enters a name that the test knows. */
async function finishSignIn(
  provider: Provider,
  wishes: ReadonlyMap<string, SignIn>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { params } = await provider.interactionDetails(req, res);
  const accountId = wishes.get(params['login_hint'] ?? '')?.sub ?? 'user-1';
  await provider.interactionFinished(req, res, { login: { accountId } });
}

async function authorizationCodeFlow(issuer: string, wish: string, scope: string) {
  const verifier = randomBytes(32).toString('base64url');
  const resource = RESOURCE + wish;
  const query = new URLSearchParams({
    client_id: OIDC_CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope,
    resource,
    login_hint: wish,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const arrival = await followToApp(`${issuer}/auth?${query}`, issuer);
  const code = arrival.searchParams.get('code');
  if (code === null) throw new Error(`Sign-in failed: ${arrival.search}`);
  const { statusCode, body } = await request(`${issuer}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: OIDC_CLIENT_ID,
      redirect_uri: REDIRECT_URI,
      code,
      code_verifier: verifier,
      resource,
    }).toString(),
  });
  const answer = (await body.json()) as { access_token: string; id_token: string };
  if (statusCode !== 200) throw new Error(`Token request failed: ${JSON.stringify(answer)}`);
  return { accessToken: answer.access_token, idToken: answer.id_token };
}

/** Acts as the browser: follows redirects with cookies until one leads to the app. */
async function followToApp(start: string, issuer: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let hops = 0; hops < 10; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const { statusCode, headers, body } = await request(url, { headers: { cookie } });
    const text = await body.text();
    for (const field of [headers['set-cookie'] ?? []].flat()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(field) ?? [];
      if (name === undefined || value === undefined) continue;
      // The provider deletes a cookie by setting it to an empty value.
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    if (headers.location === undefined) throw new Error(`Sign-in stopped at ${url.pathname}: ${statusCode} ${text}`);
    url = new URL(String(headers.location), issuer);
    if (url.href.startsWith(REDIRECT_URI)) return url;
  }
  throw new Error('Sign-in goes in circles');
}
