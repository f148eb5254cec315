// node scripts/warm-up.ts DIRECTORY: fills V8's compile cache there with the code of startup and of the first requests, so that a
// container does not compile it again. Starts the built broker in front of a simulated Cartesia, uses it once, stops it.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startSimulator } from '../src/simulator/simulator.ts';

const [directory = 'compile-cache'] = process.argv.slice(2);
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const simulator = await startSimulator({ tlsPort: null });
const settings = {
  NODE_COMPILE_CACHE: directory,
  CARTESIA_API_KEY: simulator.apiKey,
  CARTESIA_BASE_URL: simulator.url,
  CARTESIA_ALLOW_INSECURE: 'true',
  TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url'), // loads the signing code, as deployments with proxied tokens do
  ALLOW_ANONYMOUS: 'true',
  PORT: '0',
};

/** Runs a command of the broker to its end; rejects unless it exits with 0. */
async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env }, stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
}

const broker = spawn(process.execPath, [main, 'serve'], {
  env: { ...process.env, ...settings, MANAGEMENT_PORT: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const exited = once(broker, 'exit');
for await (const text of createInterface(broker.stdout)) {
  const line = JSON.parse(text) as { readonly msg: string; readonly url: string; readonly management_url: string };
  if (line.msg !== 'listening') continue;
  await use(line.url, line.management_url);
  broker.kill('SIGINT'); // an orderly shutdown without the drain delay: the cache is written on exit
}
const [code] = await exited;
await simulator.close();
if (code !== 0) throw new Error(`the broker ended with ${code}`);

/** Makes the requests that the first callers and the orchestrator will make. */
async function use(url: string, managementUrl: string): Promise<void> {
  const mint = await fetch(`${url}/access-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"grants":{"tts":true},"expires_in":60}',
  });
  if (mint.status !== 200) throw new Error(`minting answered ${mint.status}: ${await mint.text()}`);
  for (const path of ['/', '/readyz', '/nothing-here']) await fetch(`${url}${path}`);
  await fetch(`${managementUrl}/metrics`);
  await run(['healthcheck'], { ...settings, MANAGEMENT_PORT: new URL(managementUrl).port });
}
