import { test } from 'tap';
import { hides, type JwtReach } from '../../src/config/jwt-reach.ts';

const A = 'https://a.example';
const PLAIN: JwtReach = { issuer: A, audience: 'voice' };
const STAFF: JwtReach = { ...PLAIN, require: { role: 'staff' } };
const LEADS: JwtReach = { ...PLAIN, require: { role: ['staff'], lead: 'true' } };

test('an entry hides each one behind it that takes no token which it would not take itself', async (t) => {
  const cases: readonly [JwtReach, JwtReach, boolean, string][] = [
    [PLAIN, PLAIN, true, 'nothing tells them apart'],
    [PLAIN, STAFF, true, 'the wider one stands first'],
    [STAFF, LEADS, true, 'one demand more'],
    [STAFF, PLAIN, false, 'the narrower one stands first'],
    [LEADS, STAFF, false, 'so it does here'],
    [PLAIN, { ...PLAIN, issuer: 'https://b.example' }, false, 'another issuer'],
    [PLAIN, { ...PLAIN, audience: ['voice', 'b'] }, false, 'an audience of its own'],
    [{ ...PLAIN, audience: ['voice', 'b'] }, PLAIN, true, 'one audience of two'],
    [{ ...PLAIN, require: { role: 'x' } }, { ...PLAIN, require: { role: ['x', 'y'] } }, false, 'a value of its own'],
    [{ ...PLAIN, require: { role: ['x', 'y'] } }, { ...PLAIN, require: { role: 'x' } }, true, 'one value of two'],
    [{ ...PLAIN, require: { role: 'x' } }, { ...PLAIN, require: { team: 'x' } }, false, 'another claim'],
  ];
  for (const [earlier, later, expected, why] of cases) t.equal(hides(earlier, later), expected, why);
});
