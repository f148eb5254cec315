// A gateway in front of Cartesia whose certificate authority changes: mints, carried requests and WebSockets all pick up its file.
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { createAuthority } from '../upstream/certificates.ts';
import { NAMES } from '../upstream/transport-under-test.ts';
import { until } from './limits-answers.ts';
import { openRawSocket } from './raw-socket.ts';
import { clientOf, logged, RAW, startSocketBroker, VOICE } from './socket-broker.ts';

const SPEECH = JSON.stringify({ model_id: 'sonic-3', transcript: 'Hello.', voice: { id: VOICE }, output_format: RAW });

for (const transport of NAMES) {
  test(`over ${transport} a renewed file of authorities applies from the next connection on`, async (t) => {
    const [before, after] = await Promise.all([createAuthority(), createAuthority('another authority')]);
    const caFile = join(t.testdir({ 'ca.pem': before.cert }), 'ca.pem');
    const deskKey = createAppKey();
    const desk = { auth: { keys: [`sha256:${appKeyDigest(deskKey)}`] }, grants: ['tts'], delivery: 'direct' };
    const running = await startSocketBroker(t, {
      simulator: { tlsPort: 0, tls: await after.issue({ host: 'localhost' }) },
      env: ({ tlsUrl }) => ({ CARTESIA_BASE_URL: tlsUrl, CARTESIA_ALLOW_INSECURE: undefined }),
      file(digest) {
        const { clients } = clientOf(digest);
        return { clients: { ...clients, desk }, upstream: { ca_file: caFile, transport } };
      },
      seams: { certificateCheckMs: 10 },
    });
    const { broker, headers, logs, simulator } = running;
    running.watch.add({ name: 'app key', value: deskKey }, 'cb_'.length);

    const post = async (path: string, key: string, body: string): Promise<number> => {
      const answer = await fetch(`${broker.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body,
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    const ways: Readonly<Record<string, () => Promise<number>>> = {
      mint: () => post('/access-token', deskKey, '{}'),
      speech: () => post('/tts/bytes', running.appKey, SPEECH),
      socket: () =>
        openRawSocket(t, broker.url, '/tts/websocket', headers).then(
          (socket) => {
            socket.socket.destroy();
            return 101;
          },
          (error: Error) => Number(/HTTP\/1\.1 (\d{3})/.exec(error.message)?.[1]),
        ),
    };
    const unusable = async () => (await broker.metrics.tlsFilesUnusable.get()).values;
    for (const [way, ask] of Object.entries(ways)) t.equal(await ask(), 502, `${way} before`);
    t.strictSame(simulator.journal.entries(), [], 'nothing was sent');

    await writeFile(caFile, `${before.cert}${after.cert}`);
    await logged(running, ({ msg }) => msg === 'certificate authorities for Cartesia renewed');
    for (const [way, ask] of Object.entries(ways)) t.equal(await ask(), way === 'socket' ? 101 : 200, `${way} after`);
    t.match(await unusable(), [{ labels: { use: 'upstream' }, value: 0 }]);

    await writeFile(caFile, 'nothing');
    t.match(
      await logged(
        running,
        ({ msg }) => msg === 'certificate authorities for Cartesia not renewed: the old ones stay in use',
      ),
      { level: 'error', reason: /^expected a certificate in PEM format in \S+$/ },
    );
    t.match(await unusable(), [{ labels: { use: 'upstream' }, value: 1 }]);
    t.equal(await ways['socket']?.(), 101, 'over a new connection');

    await writeFile(caFile, `${before.cert}${after.cert}`);
    const mended = () =>
      logs.filter(({ msg }) => msg === 'certificate authorities for Cartesia can be used again').length;
    await until(() => mended() === 1);
    t.match(await unusable(), [{ labels: { use: 'upstream' }, value: 0 }]);

    await rename(caFile, `${caFile}.away`);
    await logged(running, ({ reason }) => /^cannot read \S+: there is no such file/.test(String(reason)));
    await rename(`${caFile}.away`, caFile);
    await until(() => mended() === 2);
    t.match(await unusable(), [{ labels: { use: 'upstream' }, value: 0 }]);
  });
}
