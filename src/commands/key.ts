// cartesia-broker key: makes an app key, shows it once, and prints the setting that registers it with the broker.
import { parseArgs } from 'node:util';
import { DEFAULT_CLIENT } from '../config/environment.ts';
import { wrongText } from '../config/text-kinds.ts';
import { appKeyDigest, createAppKey } from '../identity/app-key.ts';
import type { CommandIo, ExitCode } from './io.ts';

const USAGE = `Usage: cartesia-broker key [--name NAME]

Makes an app key for the client app NAME (default: ${DEFAULT_CLIENT}). The key is shown once; the broker keeps only its hash.
`;

export async function runKey(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  const asked = parse(argv);
  if (asked === undefined) {
    io.stderr.write(USAGE);
    return 2;
  }
  if (asked.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  const wrong = wrongText('client_name', asked.name);
  if (wrong !== undefined) {
    io.stderr.write(`--name: ${wrong}\n`);
    return 2;
  }
  const key = createAppKey();
  io.stdout.write(account(asked.name, key, `sha256:${appKeyDigest(key)}`));
  return 0;
}

function parse(argv: readonly string[]): { readonly help: boolean; readonly name: string } | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        name: { type: 'string', default: DEFAULT_CLIENT },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch {
    return undefined;
  }
}

function account(name: string, key: string, hash: string): string {
  return `App key of the client app ${name}. It is shown only once: keep it like a password.

  ${key}

The broker needs its hash, in the environment:

  CLIENT_KEYS=${name}=${hash}

(several are separated by commas), or in the file that BROKER_CONFIG names:

  clients:
    ${name}:
      auth:
        keys: ["${hash}"]
`;
}
