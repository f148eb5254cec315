// cartesia-broker check-config: lists what is wrong with the configuration, or sums it up.
import { parseArgs } from 'node:util';
import type { ClientConfig, Config, Rate } from '../config/config.ts';
import { formatProblem, loadConfig } from '../config/load.ts';
import { formatRate } from '../config/rate.ts';
import { CONFIG_FILE_VARIABLE } from '../config/schema.ts';
import type { CommandIo, ExitCode } from './io.ts';

const USAGE = `Usage: cartesia-broker check-config [FILE]

Checks the settings of the environment, and of FILE or of the file that ${CONFIG_FILE_VARIABLE} names, as \`serve\` would.
Exit code 0: fine, and a summary is printed. 2: not fine, and every problem is listed.
`;

/** Prints a summary without secrets (0), or every problem (2). Warnings go to stderr in both cases. */
export async function runCheckConfig(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  const file = fileArgument(argv);
  if (file === USAGE_ASKED || file === USAGE_NEEDED) {
    (file === USAGE_ASKED ? io.stdout : io.stderr).write(USAGE);
    return file === USAGE_ASKED ? 0 : 2;
  }
  const loaded = await loadConfig(file === undefined ? io.env : { ...io.env, [CONFIG_FILE_VARIABLE]: file });
  for (const warning of loaded.warnings) io.stderr.write(`warning: ${formatProblem(warning)}\n`);
  if (loaded.outcome === 'refused') {
    for (const problem of loaded.problems) io.stderr.write(`error: ${formatProblem(problem)}\n`);
    const { length } = loaded.problems;
    io.stderr.write(`The configuration has ${length} ${length === 1 ? 'problem' : 'problems'}.\n`);
    return 2;
  }
  io.stdout.write(`The configuration is fine.\n\n${summary(loaded.config)}`);
  return 0;
}

const USAGE_ASKED = Symbol('usage asked');
const USAGE_NEEDED = Symbol('usage needed');

function fileArgument(argv: readonly string[]): string | undefined | typeof USAGE_ASKED | typeof USAGE_NEEDED {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) return USAGE_ASKED;
    return positionals.length > 1 ? USAGE_NEEDED : positionals[0];
  } catch {
    return USAGE_NEEDED;
  }
}

/** The configuration in a few lines for an operator, built from the fields listed here, never by removing secrets. */
function summary(config: Config): string {
  const { listen, management, upstream, tokens, limits, store, log, clients } = config;
  const scheme = listen.tls === null ? 'http' : 'https';
  const rows: [string, string][] = [
    ['listener', address(scheme, listen.host, listen.port) + (listen.requireHttps ? ', HTTPS required' : '')],
    ['public URL', listen.publicUrl ?? 'the address of the listener'],
    ['trusted proxies', listen.trustProxy.join(', ') || 'none'],
    ['management', address('http', management.host, management.port)],
    ['upstream', `${upstream.baseUrl}, version ${upstream.version} (${upstream.versionPolicy})`],
    ['API keys', String(upstream.apiKeys.length)],
    ['signing secrets', String(tokens.signingSecrets.length)],
    ['per address', rateText(limits.mintPerAddress)],
    ['state', store.redisUrl === null ? 'in memory' : 'in Redis'],
    ['logs', log.level],
    ["Cartesia's paths", config.proxy ? 'served' : 'not served'],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const deployment = rows.map(([name, value]) => `${name.padEnd(width)}${value}\n`).join('');
  return `${deployment}\n${clients.map(clientSummary).join('\n')}`;
}

function clientSummary(client: ClientConfig): string {
  const { auth, ttl, grants, defaultGrants, origins } = client;
  const ways = [
    ...(auth.keys.length > 0 ? [`${auth.keys.length} app ${auth.keys.length === 1 ? 'key' : 'keys'}`] : []),
    ...auth.jwt.map(({ issuer }) => `JWTs of ${issuer}`),
    ...(auth.anonymous ? ['anyone, without a credential'] : []),
  ];
  const asksLess = defaultGrants.length < grants.length;
  const lines = [
    `client app ${client.name}${client.trusted ? ' (trusted: names its users)' : ''}`,
    `  callers   ${ways.join('; ')}`,
    `  grants    ${grants.join(', ')}${asksLess ? `; ${defaultGrants.join(', ')} by default` : ''}`,
    `  lifetime  ${ttl.defaultSeconds} s, at most ${ttl.maxSeconds} s`,
    `  delivery  ${client.delivery}`,
    `  origins   ${origins.join(', ') || 'no browser page'}`,
    `  minting   ${rateText(client.limits.mint)} per subject`,
  ];
  return `${lines.join('\n')}\n`;
}

function address(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port === 0 ? '(any free port)' : port}`;
}

function rateText(rate: Rate | null): string {
  return rate === null ? 'no limit' : formatRate(rate);
}
