// A real Redis that speaks TLS and verifies its clients' certificates.
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { RedisTlsFiles } from '../../src/config/config.ts';
import { Secret } from '../../src/config/secret.ts';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import { openRedisTls, type RedisTls } from '../../src/store/redis/redis-tls.ts';
import type { StoreCondition } from '../../src/store/store-condition.ts';
import { until } from '../e2e/limits-answers.ts';
import { type Authority, createAuthority, type Identity } from '../upstream/certificates.ts';
import { type RedisWithTls, redisWithTls } from './redis-with-tls.ts';

interface World extends RedisWithTls {
  /** Sets the authority that Redis trusts from its next start. */
  trust(authority: Authority): Promise<void>;
  /** Writes a client certificate into the files of `client`. */
  issue(identity: Identity): Promise<void>;
  readonly ofClients: Authority;
}

/** Atomically: a reader finds either the old file or the new one. */
async function put(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

async function world(t: Test): Promise<World> {
  const [ofServers, ofClients] = await Promise.all([createAuthority('of servers'), createAuthority('of clients')]);
  const made = await redisWithTls(t, { ofServers, ofClients, client: await ofClients.issue({ host: 'broker' }) });
  return {
    ...made,
    trust: ({ cert }) => put(made.files.caFile, cert),
    async issue({ cert, key }) {
      await put(made.client.certFile, cert);
      await put(made.client.keyFile, key);
    },
    ofClients,
  };
}

interface Linked {
  readonly link: RedisLink;
  readonly tls: RedisTls;
  readonly conditions: readonly StoreCondition[];
  /** What was reported about the files. */
  readonly said: string[];
}

async function linked(t: Test, { redis }: World, files: RedisTlsFiles, scheme = 'rediss'): Promise<Linked> {
  const conditions: StoreCondition[] = [];
  const said: string[] = [];
  const tls = await openRedisTls(files, {
    everyMs: 10,
    onRenewed: () => said.push('renewed'),
    onMended: () => said.push('mended'),
    onFailed: (wrong) => said.push(wrong),
  });
  const link = await createRedisLink({
    url: { current: new Secret(`${scheme}://localhost:${redis.tlsPort}`) },
    tls,
    onCondition: (condition) => conditions.push(condition),
  });
  t.teardown(async () => {
    tls.stop();
    await link.close();
  });
  return { link, tls, conditions, said };
}

const UNHEARD = { everyMs: 1_000, onRenewed() {}, onMended() {}, onFailed() {} };

const answers = ({ link }: Linked): Promise<boolean> =>
  link.command('ping', 'PING').then(
    () => true,
    () => false,
  );

test('Redis is verified with the CA file and shown the client certificate, on both connections', async (t) => {
  const here = await world(t);
  const one = await linked(t, here, { caFile: here.caFile, certificate: here.client });
  const heard: string[] = [];
  one.link.subscribe('news', (word) => heard.push(word));
  await one.link.reached;
  t.equal(await answers(one), true);
  await until(async () => {
    await one.link.command('say', 'PUBLISH', 'news', 'word');
    return heard.length > 0;
  });
  t.strictSame(one.conditions, [{ state: 'up', reason: null }]);
  t.strictSame(one.said, []);
});

test('without the right authority or client certificate there is no connection, and the log says why', async (t) => {
  const here = await world(t);
  const [stranger, dir] = [await createAuthority('stranger'), t.testdirName];
  const unknown = await stranger.issue({ host: 'broker' });
  const expired = await here.ofClients.issue({ host: 'broker', notAfter: new Date(Date.now() - 1_000) });
  const certFile = join(dir, 'unknown.pem');
  const keyFile = join(dir, 'unknown.key');
  const caFile = join(dir, 'stranger.pem');
  const past = { certFile: join(dir, 'expired.pem'), keyFile: join(dir, 'expired.key') };
  await Promise.all([
    writeFile(certFile, unknown.cert),
    writeFile(keyFile, unknown.key),
    writeFile(caFile, stranger.cert),
    writeFile(past.certFile, expired.cert),
    writeFile(past.keyFile, expired.key),
  ]);
  for (const [files, reason] of [
    [{ caFile, certificate: here.client }, /^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/],
    [{ caFile: null, certificate: here.client }, /^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/],
    [{ caFile: here.caFile, certificate: null }, /_ALERT_CERTIFICATE_REQUIRED$/],
    [{ caFile: here.caFile, certificate: { certFile, keyFile } }, /_ALERT_UNKNOWN_CA$/],
    [{ caFile: here.caFile, certificate: past }, /_ALERT_CERTIFICATE_EXPIRED$/],
  ] as const) {
    const one = await linked(t, here, files);
    await until(() => one.conditions.some((condition) => reason.test(String(condition.reason))));
    t.equal(one.link.state, 'starting', String(reason));
    t.equal(await answers(one), false);
  }
});

test('a renewed certificate or authority is used by the next connection; the open one stays', async (t) => {
  const here = await world(t);
  const one = await linked(t, here, { caFile: here.caFile, certificate: here.client });
  await one.link.reached;

  const [nextOfServers, nextOfClients] = await Promise.all([createAuthority('new'), createAuthority('newer')]);
  await put(here.caFile, nextOfServers.cert);
  await until(() => one.said.includes('renewed'));
  await here.issue(await nextOfClients.issue({ host: 'broker' }));
  await until(() => one.said.filter((what) => what === 'renewed').length === 2);
  t.equal(await answers(one), true);
  t.strictSame(one.conditions, [{ state: 'up', reason: null }]);

  await here.redis.kill();
  await here.trust(nextOfClients);
  const server = await nextOfServers.issue({ host: 'localhost' });
  await Promise.all([writeFile(here.files.certFile, server.cert), writeFile(here.files.keyFile, server.key)]);
  await here.redis.start();
  await until(() => answers(one));
});

test('unusable files change nothing and are reported once', async (t) => {
  const here = await world(t);
  const one = await linked(t, here, { caFile: here.caFile, certificate: here.client });
  await one.link.reached;
  const other = await here.ofClients.issue({ host: 'other' });
  const { certFile, keyFile } = here.client;
  for (const [file, text, wrong] of [
    [keyFile, other.key, `${keyFile} does not belong to the certificate`],
    [keyFile, '', `expected a private key without passphrase in PEM format in ${keyFile}`],
    [certFile, 'half', new RegExp(`^expected a certificate in PEM format in ${certFile}; `)],
  ] as const) {
    one.said.length = 0;
    await put(file, text);
    await until(() => one.said.length > 0);
    for (let looks = 0; looks < 5; looks += 1) {
      one.tls.look();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.match(one.said, [wrong]);
    t.equal(one.said.length, 1, 'once');
  }
  await here.redis.kill();
  await here.redis.start();
  await until(() => answers(one));
  await here.issue(other);
  await until(() => one.said.at(-1) === 'renewed');
});

test('with TLS files there is no plaintext connection, whatever a renewed URL says', async (t) => {
  const here = await world(t);
  const one = await linked(t, here, { caFile: here.caFile, certificate: here.client }, 'redis');
  await one.link.reached;
  t.equal(await answers(one), true, 'the port accepts only TLS');
});

test('unusable files at start are an error', async (t) => {
  const here = await world(t);
  await writeFile(here.caFile, 'nothing');
  await t.rejects(openRedisTls({ caFile: here.caFile, certificate: null }, UNHEARD));
});
