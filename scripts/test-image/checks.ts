// What an operator may expect of the image. The checks are independent of each other; most run the image's own process.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { type Container, type Image, start } from './container.ts';
import { filesIn, isWritableBy } from './files.ts';

export type Check = (image: Image) => Promise<string | undefined>;

/** Keyed by what they promise. A check's return value is printed next to it. */
export const CHECKS: Readonly<Record<string, Check>> = {
  'declares how it is run: a numeric user, no shell in between, a health check, SIGTERM': async ({ config }) => {
    assert.match(config.User, /^[1-9][0-9]*:[1-9][0-9]*$/);
    assert.equal(config.Entrypoint[0], 'node', 'an exec form: signals reach the broker itself');
    assert.deepEqual(config.Cmd, ['serve']);
    assert.equal(config.Healthcheck.Test[0], 'CMD', 'an exec form: there is no shell to run it');
    assert.equal(config.StopSignal, 'SIGTERM');
    assert.ok(config.Env.includes('HOST=0.0.0.0'));
    assert.deepEqual(Object.keys(config.ExposedPorts), ['8080/tcp']);
    return undefined;
  },

  'holds nothing but Node, its libraries and the broker': async ({ folder }) => {
    const files = [...filesIn(folder)].filter(({ kind }) => kind !== 'folder');
    const expected =
      /^\/(app\/(package\.json|dist\/[\w.-]+|compile-cache\/[\w.-]+\/[0-9a-f]+)|usr\/local\/bin\/node|usr\/local\/share\/doc\/node\/LICENSE|(usr\/)?lib(64)?\/[\w./+-]+\.so[\d.]*|etc\/(passwd|group|nsswitch\.conf)|var\/lib\/dpkg\/status\.d\/[\w.+-]+|usr\/share\/doc\/[\w.+-]+\/copyright)$/;
    assert.deepEqual(
      files.map((file) => file.path).filter((file) => !expected.test(file)),
      [],
    );
    const dist = files.filter((file) => file.path.startsWith('/app/dist/')).length;
    assert.ok(dist > 5, 'the bundle is there');
    return `${files.length} files`;
  },

  'gives its user nothing to write to, and nobody a way to more rights': async ({ folder, config }) => {
    const [uid = 0, gid = 0] = config.User.split(':').map(Number);
    const files = [...filesIn(folder)].filter((file) => file.kind !== 'other');
    const writable = files.filter((file) => isWritableBy(file, uid, gid));
    const special = files.filter((file) => (file.mode & 0o6000) !== 0);
    assert.deepEqual([...writable, ...special], []);
    return undefined;
  },

  'starts, mints with secrets from files, and the token speaks': async (image) => {
    await using broker = await startBroker(image);
    const { statusCode, body } = await broker.mint();
    const answer = (await body.json()) as { readonly token: string; readonly base_url: string };
    assert.equal(statusCode, 200);
    const speech = await request(`${answer.base_url}/tts/bytes`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'cartesia-version': '2026-03-01',
        authorization: `Bearer ${answer.token}`,
      },
      body: JSON.stringify({
        model_id: 'sonic-3',
        transcript: 'Good morning.',
        voice: { mode: 'id', id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
        output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 16_000 },
      }),
    });
    assert.equal(speech.statusCode, 200);
    const { byteLength } = await speech.body.arrayBuffer();
    assert.ok(byteLength > 5_000);
    return `${byteLength} bytes of speech`;
  },

  'runs as its numeric user, without a capability, on a root that is read-only': async (image) => {
    await using broker = await startBroker(image);
    const status = readFileSync(`/proc/${broker.container.pid}/status`, 'utf8');
    const [uid, gid] = image.config.User.split(':');
    assert.match(status, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:\t${gid}\t${gid}\t${gid}\t${gid}$`, 'm'));
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^CapPrm:\t0+$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(readFileSync(`/proc/${broker.container.pid}/limits`, 'utf8'), /^Max core file size\s+0\s/m);

    const attempt = `require('node:fs').writeFileSync('/app/written', '')`;
    const writer = await start(image, ['node', '-e', attempt]);
    assert.equal(await writer.ended, 1);
    assert.match(writer.output(), /EROFS/);
    return undefined;
  },

  'is found healthy by its own health check, and unhealthy when it is gone': async (image) => {
    const command = image.config.Healthcheck.Test.slice(1);
    await using broker = await startBroker(image);
    const check = async (): Promise<{ readonly code: number; readonly output: string }> => {
      const checker = await start(image, command, broker.options);
      return { code: await checker.ended, output: checker.output().trim() };
    };
    assert.deepEqual(await check(), { code: 0, output: 'alive' });
    broker.container.signal('SIGINT');
    await broker.container.ended;
    assert.deepEqual(await check(), { code: 1, output: 'not reached: ECONNREFUSED' });
    return undefined;
  },

  'starts from the compile cache that was baked in, and leaves it as it is': async (image) => {
    const before = fingerprint(path.join(image.folder, 'app/compile-cache'));
    {
      await using broker = await startBroker(image, { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' });
      await broker.mint();
      const log = broker.container.output();
      const accepted = [...log.matchAll(/V8 code cache for \w+ file:\/\/(\S+) was accepted/g)].map(([, file]) => file);
      assert.ok(accepted.includes('/app/dist/main.js'), log);
      assert.equal([...log.matchAll(/ was not initialized|was rejected|ENOENT/g)].length, 0, log);
    }
    assert.equal(fingerprint(path.join(image.folder, 'app/compile-cache')), before);
    return undefined;
  },

  'does not open an inspector on SIGUSR1': async (image) => {
    await using broker = await startBroker(image);
    broker.container.signal('SIGUSR1');
    await broker.mint(); // it is alive, and a round trip has passed
    const inspector = net.connect(9229, '127.0.0.1');
    const [error] = (await once(inspector, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    assert.doesNotMatch(broker.container.output(), /Debugger listening/);
    return undefined;
  },

  'drains on SIGTERM without a failed request, and exits with 0': async (image) => {
    await using broker = await startBroker(image);
    let answered = 0;
    let isStopped = false;
    const callers = Array.from({ length: 8 }, async () => {
      while (!isStopped) {
        const { statusCode, body } = await broker.mint();
        await body.dump();
        assert.equal(statusCode, 200);
        answered += 1;
      }
    });
    await Promise.race([delay(500), ...callers]);
    broker.container.signal('SIGTERM');
    // The drain delay is five seconds: requests that still arrive within it are served.
    await Promise.race([delay(3_000), ...callers]);
    isStopped = true;
    await Promise.all(callers);
    assert.equal(await broker.container.ended, 0);
    return `${answered} mints answered`;
  },

  'refuses to start without settings, says which, and exits with 2': async (image) => {
    const container = await start(image, null);
    assert.equal(await container.ended, 2);
    assert.match(container.output(), /CARTESIA_API_KEY/);
    assert.match(container.output(), /CLIENT_KEYS/);
    return undefined;
  },
};

interface StartedBroker extends AsyncDisposable {
  readonly container: Container;
  /** For other processes with the same environment and secrets. */
  readonly options: { readonly env: Readonly<Record<string, string>>; readonly secrets: string };
  mint(): ReturnType<typeof request>;
}

/** Starts the image's own process, configured as an operator would, in front of a simulated Cartesia. */
async function startBroker(image: Image, more: Readonly<Record<string, string>> = {}): Promise<StartedBroker> {
  const simulator = await startSimulator({ tlsPort: null });
  const appKey = createAppKey();
  const secrets = secretsFolder({
    cartesia_api_key: simulator.apiKey,
    client_keys: `backend=sha256:${appKeyDigest(appKey)}`,
    token_signing_secret: randomBytes(32).toString('base64url'),
  });
  const env = {
    CARTESIA_API_KEY_FILE: '/run/secrets/cartesia_api_key',
    CLIENT_KEYS_FILE: '/run/secrets/client_keys',
    TOKEN_SIGNING_SECRET_FILE: '/run/secrets/token_signing_secret',
    CARTESIA_BASE_URL: simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true',
    MINT_RATE: 'off',
    MINT_RATE_PER_IP: 'off',
    PORT: '0',
    MANAGEMENT_PORT: String(await freePort()),
    ...more,
  };
  const options = { env, secrets };
  const container = await start(image, null, options);
  const output = await container.waitFor('"msg":"listening"');
  const { url } = JSON.parse(output.split('\n').find((line) => line.includes('"listening"')) ?? '') as { url: string };
  return {
    container,
    options,
    mint: () =>
      request(`${url}/access-token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${appKey}` },
        body: '{"grants":{"tts":true},"expires_in":60}',
      }),
    async [Symbol.asyncDispose]() {
      const isOver = await Promise.race([container.ended.then(() => true), delay(0, false)]);
      if (!isOver) container.signal('SIGINT'); // an orderly shutdown without the drain delay
      const code = await container.ended;
      await simulator.close();
      rmSync(secrets, { recursive: true });
      assert.equal(code, 0, container.output());
    },
  };
}

/** Readable by the image's user, like secrets that a container engine provides. */
function secretsFolder(secrets: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'broker-secrets-'));
  chmodSync(folder, 0o755);
  for (const [name, value] of Object.entries(secrets)) writeFileSync(path.join(folder, name), `${value}\n`);
  return folder;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo; // a TCP server has one
  server.close();
  await once(server, 'close');
  return port;
}

/** A hash over the names and contents of all files. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const file of filesIn(folder)) {
    hash.update(`${file.path}\0`);
    if (file.kind === 'file') hash.update(readFileSync(path.join(folder, file.path)));
  }
  return hash.digest('hex');
}
