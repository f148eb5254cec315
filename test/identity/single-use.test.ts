import { test } from 'tap';
import { singleUseOf } from '../../src/identity/single-use.ts';
import { principalOf } from '../tokens/principal.ts';

test('only an access token of ours that says so is good once, under its own id and until its end', async (t) => {
  const single = { method: 'access_token', claims: { single_use: true, jti: 'one' }, expiresAt: 60 } as const;
  t.strictSame(singleUseOf(principalOf(single)), { id: 'one', expiresAt: 60 });
  t.equal(
    singleUseOf(principalOf({ ...single, method: 'jwt' })),
    null,
    "an issuer's claim of the same name is its own",
  );
  for (const claims of [{ jti: 'one' }, { single_use: false }, { single_use: 'true' }, { single_use: 1 }])
    t.equal(singleUseOf(principalOf({ ...single, claims })), null);
});
