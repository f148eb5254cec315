// A broker process and a Redis that accepts only clients with a certificate, at startup and after a renewal.
import { writeFile } from 'node:fs/promises';
import { test } from 'tap';
import { OutputWatch } from '../canary/output-watch.ts';
import { LEAST } from '../config/loading.ts';
import { redisWithTls } from '../store/redis-with-tls.ts';
import { createAuthority } from '../upstream/certificates.ts';
import { until } from './limits-answers.ts';
import { readiness } from './limits-replicas.ts';
import { serveProcess } from './serve-process.ts';

test('TLS to Redis with CA and certificate files; SIGHUP renews them and the listener’s certificate', async (t) => {
  const watch = new OutputWatch();
  t.teardown(() => watch.assertClean());
  const [authority, next] = await Promise.all([createAuthority(), createAuthority('next')]);
  const [first, renewed] = await Promise.all([authority.issue({ host: 'broker' }), next.issue({ host: 'broker' })]);
  for (const { key } of [first, renewed]) watch.add({ name: 'private key', value: key.split('\n')[1] ?? '' });
  const { redis, files, caFile, client } = await redisWithTls(t, {
    ofServers: authority,
    ofClients: authority,
    client: first,
  });
  const served = serveProcess(t, {
    watch,
    env: {
      ...LEAST,
      REDIS_URL: `rediss://localhost:${redis.tlsPort}`,
      REDIS_CA_FILE: caFile,
      REDIS_CERT_FILE: client.certFile,
      REDIS_KEY_FILE: client.keyFile,
      TLS_CERT_FILE: client.certFile,
      TLS_KEY_FILE: client.keyFile,
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
  });
  const replica = { ...served, ...(await served.listening) };
  await until(async () => (await readiness(replica)) === 200);

  await writeFile(client.certFile, renewed.cert);
  await writeFile(client.keyFile, renewed.key);
  const startMs = performance.now();
  served.child.kill('SIGHUP');
  await Promise.all([served.logged('TLS files for Redis renewed'), served.logged('certificate renewed')]);
  t.ok(performance.now() - startMs < 5_000, 'sooner than the check every ten seconds');
  await redis.kill();
  await writeFile(files.caFile, next.cert);
  await redis.start();
  const reached = (): number => served.logs().filter(({ msg }) => msg === 'Redis is reached').length;
  await until(() => reached() === 2);
  t.notOk(served.logs().some(({ level }) => level === 'error'));
});
