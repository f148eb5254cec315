// Stores the sessions and codes of the tests' OpenID Connect provider; each provider keeps one store across its key rotations.

type Payload = Record<string, unknown>;

/** oidc-provider's adapter interface for one of its models. */
export interface OidcAdapter {
  upsert(id: string, payload: Payload): Promise<void>;
  find(id: string): Promise<Payload | undefined>;
  findByUid(uid: string): Promise<Payload | undefined>;
  consume(id: string): Promise<void>;
  destroy(id: string): Promise<void>;
  revokeByGrantId(grantId: string): Promise<void>;
}

/** Entries never expire on their own: tests are shorter than any lifetime, and the provider checks times itself. */
export function createOidcStore(): (model: string) => OidcAdapter {
  const entries = new Map<string, Payload>();
  return (model) => ({
    async upsert(id, payload) {
      entries.set(`${model}:${id}`, payload);
    },
    find: async (id) => entries.get(`${model}:${id}`),
    findByUid: async (uid) => [...entries.values()].find((payload) => payload['uid'] === uid),
    async consume(id) {
      const payload = entries.get(`${model}:${id}`);
      if (payload !== undefined) payload['consumed'] = Math.floor(Date.now() / 1_000);
    },
    async destroy(id) {
      entries.delete(`${model}:${id}`);
    },
    async revokeByGrantId(grantId) {
      for (const [key, payload] of entries) if (payload['grantId'] === grantId) entries.delete(key);
    },
  });
}
