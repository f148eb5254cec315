import { test } from 'tap';
import { singleUseOf } from '../../src/identity/single-use.ts';
import { principalOf } from '../tokens/principal.ts';

test('only our own access tokens with `single_use: true` are single-use, by their id and until they expire', async (t) => {
  const single = { method: 'access_token', claims: { single_use: true, jti: 'one' }, expiresAt: 60 } as const;
  t.strictSame(singleUseOf(principalOf(single)), { id: 'one', expiresAt: 60 });
  t.equal(
    singleUseOf(principalOf({ ...single, method: 'jwt' })),
    null,
    "an issuer's claim of the same name has another meaning",
  );
  for (const claims of [{ jti: 'one' }, { single_use: false }, { single_use: 'true' }, { single_use: 1 }])
    t.equal(singleUseOf(principalOf({ ...single, claims })), null);
});
