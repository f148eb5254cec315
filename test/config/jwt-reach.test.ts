import { test } from 'tap';
import { hides, type JwtReach } from '../../src/config/jwt-reach.ts';

const A = 'https://a.example';
const PLAIN: JwtReach = { issuer: A, audience: 'voice' };
const STAFF: JwtReach = { ...PLAIN, require: { role: 'staff' } };
const LEADS: JwtReach = { ...PLAIN, require: { role: ['staff'], lead: 'true' } };

test('an entry hides every later entry whose tokens it would all accept itself', async (t) => {
  const cases: readonly [JwtReach, JwtReach, boolean, string][] = [
    [PLAIN, PLAIN, true, 'nothing tells them apart'],
    [PLAIN, STAFF, true, 'the wider one comes first'],
    [STAFF, LEADS, true, 'the later one demands one claim more'],
    [STAFF, PLAIN, false, 'the narrower one comes first'],
    [LEADS, STAFF, false, 'the narrower one comes first here too'],
    [PLAIN, { ...PLAIN, issuer: 'https://b.example' }, false, 'another issuer'],
    [PLAIN, { ...PLAIN, audience: ['voice', 'b'] }, false, 'an audience that only the later one has'],
    [{ ...PLAIN, audience: ['voice', 'b'] }, PLAIN, true, 'one audience of two'],
    [
      { ...PLAIN, require: { role: 'x' } },
      { ...PLAIN, require: { role: ['x', 'y'] } },
      false,
      'a value that only the later one has',
    ],
    [{ ...PLAIN, require: { role: ['x', 'y'] } }, { ...PLAIN, require: { role: 'x' } }, true, 'one value of two'],
    [{ ...PLAIN, require: { role: 'x' } }, { ...PLAIN, require: { team: 'x' } }, false, 'another claim'],
  ];
  for (const [earlier, later, expected, why] of cases) t.equal(hides(earlier, later), expected, why);
});
