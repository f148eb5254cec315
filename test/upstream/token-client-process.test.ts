import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'tap';

const script = fileURLToPath(new URL('closing-process.ts', import.meta.url));

test('a process that closes its token clients exits by itself: no handle, no timer, no unhandled rejection', async (t) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { timeout: 20_000 });
  t.strictSame(JSON.parse(stdout), { codes: ['draining', 'draining', 'draining', 'draining', 'draining'] });
  t.equal(stderr, '');
});

test('importing the token client does not load the HTTP client, so a process listens sooner', async (t) => {
  const client = new URL('../../src/upstream/token-client.ts', import.meta.url).href;
  const probe = `
    import { createRequire } from 'node:module';
    const { createTokenClient } = await import(${JSON.stringify(client)});
    const upstream = { apiKeys: [], baseUrl: 'http://127.0.0.1:9', deadlineMs: 1, connections: 1 };
    const client = createTokenClient(upstream);
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('/undici/'));
    const before = loaded().length;
    await client.load();
    const after = loaded();
    await client.close();
    console.log(JSON.stringify({ before, after: after.length > 0, whole: after.some((path) => /undici.index\\.js$|web.fetch/.test(path)) }));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', probe]);
  t.strictSame(JSON.parse(stdout), { before: 0, after: true, whole: false });
});
