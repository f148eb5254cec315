import { test } from 'tap';
import { Secret } from '../../../src/config/secret.ts';
import { createAdminToken } from '../../../src/management/admin/admin-token.ts';

test('only the exact bearer token is accepted, and a renewed token replaces it', async (t) => {
  const token = createAdminToken(new Secret('open sesame'));
  t.ok(token.isIn('Bearer open sesame') && token.isIn('bearer open sesame'));
  const others = [undefined, '', 'open sesame', 'Bearer', 'Bearer ', 'Bearer open', 'Bearer open  sesame'];
  for (const other of [
    ...others,
    'Bearer  open sesame',
    'Bearer open sesame ',
    'Basic open sesame',
    'xBearer open sesame',
  ])
    t.notOk(token.isIn(other), String(other));
  token.renew(new Secret('another'));
  t.strictSame([token.isIn('Bearer open sesame'), token.isIn('Bearer another')], [false, true]);
});
