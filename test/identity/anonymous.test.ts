import { test } from 'tap';
import { createAnonymousAuthenticator } from '../../src/identity/anonymous.ts';
import { clientConfig } from './client-config.ts';

const closed = clientConfig({ name: 'web' });
const open = clientConfig({ name: 'kiosk', auth: { anonymous: true } });

test('a caller without a credential belongs to the client app that allows anonymous callers', async (t) => {
  t.strictSame(createAnonymousAuthenticator([closed, open]).authenticate(null), {
    outcome: 'authenticated',
    principal: { client: 'kiosk', subject: 'kiosk', method: 'anonymous', claims: {}, grants: null, expiresAt: null },
  });
});

test('it is not responsible if no client app allows anonymous callers, nor for any credential', async (t) => {
  const none = { outcome: 'not_responsible' };
  t.strictSame(createAnonymousAuthenticator([closed]).authenticate(null), none);
  const authenticator = createAnonymousAuthenticator([open]);
  t.strictSame(authenticator.authenticate({ rawToken: 'anything', place: 'authorization', connection: null }), none);
});

test('two client apps that allow anonymous callers are refused at start', async (t) => {
  t.throws(() => createAnonymousAuthenticator([open, { ...open, name: 'totem' }]), {
    message: 'Only one client app may allow anonymous callers, but several do: kiosk, totem',
  });
});
