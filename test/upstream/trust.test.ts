import { join } from 'node:path';
import { test } from 'tap';
import { createTrust, openTrust } from '../../src/upstream/trust.ts';
import { createAuthority } from './certificates.ts';

const nobody = { everyMs: 60_000, onRenewed() {}, onMended() {}, onFailed() {} };

test('one context for all connections, until the authorities are renewed', async (t) => {
  const { cert } = await createAuthority();
  const trust = createTrust(null);
  const first = trust.context;
  t.equal(trust.context, first);
  trust.renew([cert]);
  t.not(trust.context, first);
  t.equal(trust.context, trust.context);
});

test('startup fails if the file is missing or one certificate in it cannot be read', async (t) => {
  const authority = await createAuthority();
  const { cert } = authority;
  const { key } = await authority.issue({ host: 'localhost' });
  const broken = cert.replace(/\n[^-\n]{60}/, '\n');
  const directory = t.testdir({ empty: '', words: 'not a certificate', key, broken, second: `${cert}${broken}`, cert });
  await t.rejects(openTrust(join(directory, 'missing'), nobody), { code: 'ENOENT' });
  for (const name of ['empty', 'words', 'key', 'broken', 'second'])
    await t.rejects(openTrust(join(directory, name), nobody), name);
  const trust = await openTrust(join(directory, 'cert'), nobody);
  trust.stop();
  t.ok(trust.context);
});

test('without a file there is nothing to watch', async (t) => {
  const trust = await openTrust(null, { ...nobody, onFailed: (wrong) => t.fail(wrong) });
  trust.look();
  trust.stop();
  t.equal(trust.context, trust.context);
});
