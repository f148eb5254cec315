// A broker as a process of its own, and a Redis that lets in only who shows a certificate: at the start, and when it is renewed.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { OutputWatch } from '../canary/output-watch.ts';
import { LEAST } from '../config/loading.ts';
import { redisServer } from '../store/redis-server.ts';
import { createAuthority } from '../upstream/certificates.ts';
import { until } from './limits-answers.ts';
import { readiness } from './limits-replicas.ts';
import { serveProcess } from './serve-process.ts';

test('TLS to Redis with an authority and a certificate of files, renewed by SIGHUP as is the certificate of the listener', async (t) => {
  const watch = new OutputWatch();
  t.teardown(() => watch.assertClean());
  const [authority, next] = await Promise.all([createAuthority(), createAuthority('next')]);
  const [server, client, renewed] = await Promise.all([
    authority.issue({ host: 'localhost' }),
    authority.issue({ host: 'broker' }),
    next.issue({ host: 'broker' }),
  ]);
  for (const { key } of [client, renewed]) watch.add({ name: 'private key', value: key.split('\n')[1] ?? '' });
  const directory = t.testdir({
    'ca.pem': authority.cert,
    'clients.pem': authority.cert,
    'redis.pem': server.cert,
    'redis.key': server.key,
    'client.pem': client.cert,
    'client.key': client.key,
  });
  const file = (name: string): string => join(directory, name);
  const tls = { certFile: file('redis.pem'), keyFile: file('redis.key'), caFile: file('clients.pem') };
  const redis = await redisServer(t, { tls });
  const served = serveProcess(t, {
    watch,
    env: {
      ...LEAST,
      REDIS_URL: `rediss://localhost:${redis.tlsPort}`,
      REDIS_CA_FILE: file('ca.pem'),
      REDIS_CERT_FILE: file('client.pem'),
      REDIS_KEY_FILE: file('client.key'),
      TLS_CERT_FILE: file('client.pem'),
      TLS_KEY_FILE: file('client.key'),
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
  });
  const replica = { ...served, ...(await served.listening) };
  await until(async () => (await readiness(replica)) === 200);

  await writeFile(file('client.pem'), renewed.cert);
  await writeFile(file('client.key'), renewed.key);
  const startMs = performance.now();
  served.child.kill('SIGHUP');
  await Promise.all([served.logged('TLS files for Redis renewed'), served.logged('certificate renewed')]);
  t.ok(performance.now() - startMs < 5_000, 'sooner than by looking every ten seconds');
  await redis.kill();
  await writeFile(file('clients.pem'), next.cert);
  await redis.start();
  const reached = (): number => served.logs().filter(({ msg }) => msg === 'Redis is reached').length;
  await until(() => reached() === 2);
  t.notOk(served.logs().some(({ level }) => level === 'error'));
});
