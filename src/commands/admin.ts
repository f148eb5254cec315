// cartesia-broker admin: operates a running broker through the admin API of its management listener.
import { request } from 'node:http';
import { parseArgs } from 'node:util';
import type { Config } from '../config/config.ts';
import { loadManagement } from '../config/load-management.ts';
import { hostFromHere } from '../config/network-names.ts';
import { formatProblem } from '../config/report.ts';
import type { CommandIo, ExitCode } from './io.ts';
import { whyNoAnswer } from './no-answer.ts';

const USAGE = `Usage: cartesia-broker admin <command> [options]

  revocations                                    list who is shut out
  revoke  --everything                           shut out everybody,
  revoke  --client NAME [--subject SUBJECT]      a client app or one subject of it,
  revoke  --token ID                             or one access token (its \`jti\`)
  restore (the same options)                     let in again
  sessions [--client NAME] [--subject SUBJECT]   list what all replicas carry now
  kill SESSION                                   end one of them, whichever replica it is on
  leases                                         show who holds how much of the account's concurrency, on all replicas
  usage                                          show what was consumed, by day, client app and subject

  --url URL   the management listener, such as http://127.0.0.1:9090; default: the one of MANAGEMENT_HOST and MANAGEMENT_PORT

The admin token is read from ADMIN_TOKEN or ADMIN_TOKEN_FILE. Settings that are not in the environment are read from the file that BROKER_CONFIG names.
`;

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Readonly<Record<string, string>>;
}

/** Milliseconds for the whole answer. */
const PATIENCE_MS = 5_000;

const READS: ReadonlySet<string> = new Set(['revocations', 'leases', 'usage']);

export async function runAdmin(argv: readonly string[], io: CommandIo, patienceMs = PATIENCE_MS): Promise<ExitCode> {
  const asked = parse(argv);
  if (asked === null) {
    io.stderr.write(USAGE);
    return 2;
  }
  if (asked === 'help') {
    io.stdout.write(USAGE);
    return 0;
  }
  const loaded = await loadManagement(io.env, asked.url === null ? ['host', 'port', 'admin_token'] : ['admin_token']);
  if (loaded.outcome === 'refused') {
    for (const problem of loaded.problems) io.stderr.write(`${formatProblem(problem)}\n`);
    return 2;
  }
  const { management, doubts } = loaded;
  for (const doubt of doubts) io.stderr.write(`warning: ${formatProblem(doubt)}\n`);
  if (management.adminToken === null) {
    io.stderr.write('ADMIN_TOKEN is needed: the token that the broker was started with.\n');
    return 2;
  }
  try {
    const signal = AbortSignal.timeout(patienceMs);
    const token = management.adminToken.reveal();
    const { status, text } = await send(asked.url ?? urlOf(management), asked.call, { token, signal });
    (status < 400 ? io.stdout : io.stderr).write(`${status < 400 ? text : `${status}: ${text}`}\n`);
    return status < 400 ? 0 : 1;
  } catch (error) {
    io.stderr.write(`${whyNoAnswer(error, patienceMs)}\n`);
    return 1;
  }
}

function parse(argv: readonly string[]): 'help' | { readonly call: Call; readonly url: URL | null } | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        everything: { type: 'boolean' },
        client: { type: 'string' },
        subject: { type: 'string' },
        token: { type: 'string' },
        url: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) return 'help';
    const { url: given, ...scope } = values;
    const call = callOf(positionals, scope);
    if (given === undefined) return call === null ? null : { call, url: null };
    // `localhost:9090` parses as a URL too, with the scheme `localhost:`, so the protocol is checked.
    const url = URL.parse(given);
    return call === null || url?.protocol !== 'http:' ? null : { call, url };
  } catch {
    return null;
  }
}

interface Scope {
  readonly everything?: boolean | undefined;
  readonly client?: string | undefined;
  readonly subject?: string | undefined;
  readonly token?: string | undefined;
}

function callOf([what = '', name, ...more]: readonly string[], scope: Scope): Call | null {
  const isScoped = Object.values(scope).some((value) => value !== undefined);
  if (more.length > 0) return null;
  if (what === 'kill')
    return name === undefined || isScoped
      ? null
      : { method: 'DELETE', path: `/admin/sessions/${encodeURIComponent(name)}` };
  if (name !== undefined) return null;
  if (what === 'sessions') return sessionsOf(scope);
  if (READS.has(what)) return isScoped ? null : { method: 'GET', path: `/admin/${what}` };
  const body = scopeOf(scope);
  if (body === null) return null;
  if (what === 'revoke') return { method: 'POST', path: '/admin/revocations', body };
  return what === 'restore' ? { method: 'POST', path: '/admin/revocations/restore', body } : null;
}

function sessionsOf({ everything, client, subject, token }: Scope): Call | null {
  if (everything !== undefined || token !== undefined) return null;
  const query = new URLSearchParams();
  if (client !== undefined) query.set('client', client);
  if (subject !== undefined) query.set('subject', subject);
  return { method: 'GET', path: query.size === 0 ? '/admin/sessions' : `/admin/sessions?${query}` };
}

/** The body for exactly one scope; `null` for none or several. */
function scopeOf({ everything, client, subject, token }: Scope): Record<string, string> | null {
  const isClient = client !== undefined;
  if (Number(everything === true) + Number(isClient) + Number(token !== undefined) !== 1) return null;
  if (subject !== undefined && !isClient) return null;
  if (everything === true) return { scope: 'everything' };
  if (token !== undefined) return { scope: 'token', token };
  if (client === undefined) return null;
  return subject === undefined ? { scope: 'client', client } : { scope: 'subject', client, subject };
}

function urlOf({ host, port }: Config['management']): URL {
  const here = hostFromHere(host);
  return new URL(`http://${here.includes(':') ? `[${here}]` : here}:${port}`);
}

function send(
  url: URL,
  { method, path, body }: Call,
  { token, signal }: { readonly token: string; readonly signal: AbortSignal },
): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly text: string }>();
  const outgoing = request(new URL(path, url), {
    method,
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    signal,
  });
  outgoing.on('error', reject);
  outgoing.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text: readable(text) }));
  });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
