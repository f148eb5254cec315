// `cartesia-broker simulate`: an offline Cartesia to develop and test against.

import { parseArgs } from 'node:util';
import { PLANS } from './settings.ts';
import { planNamed, SettingsError } from './settings-patch.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts';

/** Thrown for arguments that cannot be understood. */
export class SimulateUsageError extends Error {
  override readonly name = 'SimulateUsageError';
  /** The exit code for the process. */
  readonly exitCode = 2;
}

export interface CommandOutput {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

export const SIMULATE_USAGE = `Usage: cartesia-broker simulate [options]

  --plan ${PLANS.join('|')}   concurrency limits of that plan (default startup)
  --port N           plain HTTP and WebSockets (default 8787, 0 = any free port)
  --tls-port N       the same over TLS, with a certificate made at start (default 8788, or any free port)
  --control-port N   settings, faults, clock and journal over HTTP (default: none)
  --key K            an API key to accept; may be repeated (default sk_car_simulated)
  --host H           address to listen on (default 127.0.0.1)
  --ca-file F        where to write the certificate, for clients to trust (default: not written)
  --help             this text
`;

const OPTIONS = {
  plan: { type: 'string' },
  port: { type: 'string' },
  'tls-port': { type: 'string' },
  'control-port': { type: 'string' },
  key: { type: 'string', multiple: true },
  host: { type: 'string' },
  'ca-file': { type: 'string' },
} as const;

/**
 * Starts a simulator as the arguments say, and prints how to use it.
 * @throws SimulateUsageError before anything was started
 */
export async function runSimulate(argv: readonly string[], io: CommandOutput): Promise<{ close(): Promise<void> }> {
  const { caFile, ...options } = readArguments(argv);
  const simulator = await start(options);
  try {
    if (caFile !== undefined) await writeCertificate(simulator, caFile);
  } catch (error) {
    await simulator.close();
    throw error;
  }
  io.stdout.write(greeting(simulator, caFile));
  return { close: () => simulator.close() };
}

/** Falls back to any free TLS port if none was asked for and the default is taken, perhaps by another simulator. */
async function start(options: SimulatorOptions): Promise<Simulator> {
  if (options.tlsPort !== undefined) return startSimulator(options);
  try {
    return await startSimulator({ ...options, tlsPort: 8788 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    return startSimulator({ ...options, tlsPort: 0 });
  }
}

function readArguments(argv: readonly string[]): SimulatorOptions & { readonly caFile: string | undefined } {
  const values = parsed(argv);
  const { plan, key, host } = values;
  const tlsPort = portOf('--tls-port', values['tls-port']);
  if (key?.some((one) => !KEY.test(one))) throw usage('--key must be printable ASCII characters without spaces');
  return {
    caFile: values['ca-file'],
    port: portOf('--port', values.port) ?? 8787,
    controlPort: portOf('--control-port', values['control-port']) ?? null,
    ...(tlsPort === undefined ? {} : { tlsPort }),
    ...(plan === undefined ? {} : { plan: checkedPlan(plan) }),
    ...(key === undefined ? {} : { apiKeys: key }),
    ...(host === undefined ? {} : { host }),
  };
}

/** The characters that a header can carry. */
const KEY = /^[\x21-\x7e]+$/;

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

function portOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) throw usage(`${name} must be a port from 0 to 65535`);
  return port;
}

function checkedPlan(value: string) {
  try {
    return planNamed(value);
  } catch (error) {
    if (error instanceof SettingsError) throw usage(`--${error.message}`);
    throw error;
  }
}

function usage(reason: string): SimulateUsageError {
  return new SimulateUsageError(`${reason}\n\n${SIMULATE_USAGE}`);
}

async function writeCertificate({ certificate }: Simulator, file: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  await writeFile(file, certificate);
}

function greeting({ url, tlsUrl, controlUrl, apiKey, settings }: Simulator, caFile: string | undefined): string {
  const { tts, stt } = settings.limits;
  const control = controlUrl === null ? '' : `  control     ${controlUrl}\n`;
  const certificate = caFile === undefined ? '' : `  certificate ${caFile} (NODE_EXTRA_CA_CERTS=${caFile})\n`;
  return `Simulated Cartesia, plan ${settings.plan}: ${tts} generations and ${stt} streams at once
  http        ${url}
  https       ${tlsUrl}
${control}${certificate}  API key     ${apiKey}

Try:
  curl ${url}/
  curl ${url}/access-token -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' \\
    -d '{"grants":{"tts":true},"expires_in":60}'
  curl ${url}/tts/bytes -H 'Authorization: Bearer ${apiKey}' -H 'Cartesia-Version: ${settings.versions.latest}' \\
    -H 'Content-Type: application/json' -o hello.wav \\
    -d '{"model_id":"sonic-3","transcript":"Hello.","voice":{"id":"6ccbfb76-1fc6-48f7-b71d-91ac6298247b"},"output_format":{"container":"wav","encoding":"pcm_s16le","sample_rate":24000}}'
  curl ${url}/stt -H 'Authorization: Bearer ${apiKey}' -H 'Cartesia-Version: ${settings.versions.latest}' \\
    -F model=ink-whisper -F file=@hello.wav
`;
}
