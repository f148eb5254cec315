// cartesia-broker demo [--once]: try it without a key and without a network.
import { once } from 'node:events';
import { type Demo, SENTENCE, startDemo } from './demo/demo.ts';
import { isHelp } from './help.ts';
import type { CommandIo, ExitCode } from './io.ts';

const USAGE = 'Usage: cartesia-broker demo [--once]\n';

export async function runDemo(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  const isOnce = argv.includes('--once');
  if (isHelp(argv)) {
    io.stdout.write(USAGE);
    return 0;
  }
  if (argv.some((argument) => argument !== '--once')) {
    io.stderr.write(USAGE);
    return 2;
  }
  let demo: Demo;
  try {
    demo = await startDemo({ port: 8080, managementPort: 9090 });
  } catch (error) {
    // All credentials are made up for the demo, so the message may be shown.
    io.stderr.write(`The demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  io.stdout.write(account(demo));
  if (!isOnce) {
    io.stdout.write('\nRunning until you press Ctrl-C.\n');
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  }
  await demo.close();
  return 0;
}

function account({ simulator, broker, appKey, keyToken, userToken, wav }: Demo): string {
  return `
1. A simulated Cartesia listens at ${simulator.url}; only the broker has its API key.
2. The broker listens at ${broker.url} and knows one OIDC issuer and one app key.
3. A kiosk minted a token with its app key (${keyToken.lifetimeSeconds} s):

   curl -s ${broker.url}/access-token -H 'Authorization: Bearer ${appKey}' \\
     -H 'Content-Type: application/json' -d '{"grants":{"tts":true}}'

4. A signed-in user minted one with the official SDK (${userToken.lifetimeSeconds} s):

   new Cartesia({ apiKey: sessionToken, baseURL: '${broker.url}' }).accessToken.create({ grants: { tts: true }, expires_in: 300 })

5. With that token, and no API key, the app said:
   "${SENTENCE}"
   ${wav.path}  (${wav.seconds.toFixed(1)} s)

The API reference: ${broker.url}/docs     Health and metrics: ${broker.managementUrl}/metrics
`;
}
