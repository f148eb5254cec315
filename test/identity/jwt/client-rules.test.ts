import { test } from 'tap';
import { chooseRule, type JwtRule } from '../../../src/identity/jwt/client-rules.ts';
import { jwtConfig } from '../client-config.ts';

const A = 'https://a.example';
const B = 'https://b.example';
const rule = (client: string, jwt: Parameters<typeof jwtConfig>[0]): JwtRule => ({ client, jwt: jwtConfig(jwt) });

test('a token belongs to the first client app whose issuer, audience and required claims fit', async (t) => {
  const rules = [
    rule('staff', { issuer: A, audience: ['voice'], require: { role: ['staff'] } }),
    rule('web', { issuer: A, audience: ['voice', 'web'] }),
    rule('partner', { issuer: B, audience: ['voice'] }),
    rule('partner', { issuer: A, audience: ['partner'] }),
  ];
  const cases: [Record<string, unknown>, string][] = [
    [{ iss: A, aud: 'voice' }, 'web'],
    [{ iss: A, aud: 'voice', role: 'staff' }, 'staff'],
    [{ iss: A, aud: 'web', role: 'staff' }, 'web'],
    [{ iss: B, aud: ['x', 'voice'], role: 'staff' }, 'partner'],
    [{ iss: A, aud: 'partner' }, 'partner'],
    [{ iss: A, aud: ['partner', 'web'] }, 'web'],
    [{ iss: 'https://c.example', aud: 'voice' }, 'jwt_issuer'],
    [{ iss: `${A}/`, aud: 'voice' }, 'jwt_issuer'],
    [{ iss: [A], aud: 'voice' }, 'jwt_issuer'],
    [{ aud: 'voice' }, 'jwt_issuer'],
    [{ iss: A }, 'jwt_audience'],
    [{ iss: B, aud: 'web' }, 'jwt_audience'],
  ];
  for (const [claims, expected] of cases) {
    const choice = chooseRule(rules, claims);
    t.equal(choice.outcome === 'chosen' ? choice.rule.client : choice.reason, expected, JSON.stringify(claims));
  }
  const demanding = [rule('staff', { issuer: A, require: { role: ['staff'] } })];
  t.match(chooseRule(demanding, { iss: A, aud: 'voice' }), { outcome: 'none', reason: 'jwt_require' });
});
