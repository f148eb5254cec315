// The contenders that are measured, and how each is started.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brokerLaunch } from './broker.ts';
import { AUDIENCE, type Callers, ISSUER } from './callers.ts';
import type { Certificate } from './certificate.ts';
import { has, mostFiles } from './machine.ts';
import { PEERS, SCRATCH } from './places.ts';
import type { Launch } from './processes.ts';

/** `none`: no server at all. The load goes straight to upstream, which shows what load generator and upstream cost by themselves. */
export type Kind = 'broker' | 'native' | 'package' | 'none';

export interface Contender {
  readonly name: string;
  readonly kind: Kind;
  launch(site: Site): Launch;
}

/** What a server is told about its surroundings. */
export interface Site {
  readonly port: number;
  readonly upstreamPort: number;
  readonly callers: Callers;
  readonly certificate: Certificate | null;
}

export function broker(name: string, dist: string, delivery: 'direct' | 'proxied'): Contender {
  return {
    name,
    kind: 'broker',
    launch: (site) => brokerLaunch({ ...site, dist, delivery, upstreamUrl: upstreamUrl(site) }),
  };
}

/** The same broker with its own HTTP client to upstream instead of undici. */
export const withNativeTransport = (dist: string): Contender => ({
  name: WITH_NATIVE_TRANSPORT,
  kind: 'broker',
  launch: (site) =>
    brokerLaunch({ ...site, dist, delivery: 'proxied', transport: 'native', upstreamUrl: upstreamUrl(site) }),
});

/** The same broker with leases and budgets, held in memory: the difference is what they cost. */
export const withLimits = (dist: string): Contender => ({
  name: LIMITED,
  kind: 'broker',
  launch: (site) =>
    brokerLaunch({ ...site, dist, delivery: 'proxied', isLimited: true, upstreamUrl: upstreamUrl(site) }),
});

export const LIMITED = 'limited';
export const WITH_NATIVE_TRANSPORT = 'broker-native';

export const NO_SERVER: Contender = { name: 'no proxy', kind: 'none', launch: () => ({ command: [] }) };

export const NATIVE: readonly Contender[] = [
  {
    name: 'nginx',
    kind: 'native',
    launch: (site) => ({
      command: ['nginx', '-c', filledIn('nginx.conf', site, nginxTls(site.certificate))],
      workers: 1,
    }),
  },
  {
    name: 'haproxy',
    kind: 'native',
    launch: (site) => ({
      command: ['haproxy', '-db', '-f', filledIn('haproxy.cfg', site, haproxyTls(site.certificate))],
    }),
  },
];

/** @param file in peers/, without its extension */
export function peer(file: string): Contender {
  return {
    name: file,
    kind: 'package',
    launch: (site) => ({
      command: [process.execPath, path.join(PEERS, `${file}.js`)],
      env: {
        PORT: String(site.port),
        UPSTREAM_URL: upstreamUrl(site),
        JWKS_URL: site.callers.jwksUrl,
        ISSUER,
        AUDIENCE,
        ...(site.certificate === null
          ? {}
          : {
              CERT_FILE: site.certificate.certFile,
              KEY_FILE: site.certificate.keyFile,
              NODE_EXTRA_CA_CERTS: site.certificate.certFile,
            }),
      },
    }),
  };
}

export const HTTP_PACKAGES: readonly Contender[] = [
  'http-proxy-3',
  'httpxy',
  'fastify-http-proxy',
  'fastify-reply-from',
].map(peer);
export const SOCKET_PACKAGES: readonly Contender[] = ['http-proxy-3', 'httpxy', 'fastify-http-proxy', 'ws-relay'].map(
  peer,
);
export const MINT_PACKAGES: readonly Contender[] = ['mint-express', 'mint-hono'].map(peer);

/** A TLS hop: terminates TLS in front of upstream (`off`), or in front of a server accepts plain HTTP and speaks TLS to it (`on`). */
export function tlsLeg(side: 'on' | 'off', site: Site): Launch {
  const tls = haproxyTls(site.certificate);
  const half = side === 'on' ? { ...tls, LISTEN_TLS: '' } : { ...tls, CONNECT_TLS: '' };
  return { command: ['haproxy', '-db', '-f', filledIn('tls-leg.cfg', site, half)] };
}

/** Why a contender cannot run here, or `null`. */
export function obstacle(contender: Contender): string | null {
  if (contender.kind === 'native' && !has(contender.name)) return 'not installed';
  if (contender.kind === 'package' && !existsSync(path.join(PEERS, 'node_modules'))) return 'packages not installed';
  return null;
}

/** Installs the packages of peers/. Nothing in the broker needs them, so they are not among its development dependencies. */
export function installPeers(): void {
  if (existsSync(path.join(PEERS, 'node_modules'))) return;
  console.error('Installing the packages to compare with, in bench/peers …');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--silent'], {
    cwd: PEERS,
    stdio: 'inherit',
  });
}

function upstreamUrl({ upstreamPort, certificate }: Site): string {
  return certificate === null ? `http://127.0.0.1:${upstreamPort}` : `https://localhost:${upstreamPort}`;
}

function nginxTls(certificate: Certificate | null): Record<string, string> {
  if (certificate === null) return { LISTEN_TLS: '', CERTIFICATE: '', SCHEME: 'http' };
  const { certFile, keyFile } = certificate;
  return {
    LISTEN_TLS: ' ssl',
    CERTIFICATE: `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`,
    SCHEME: 'https',
  };
}

function haproxyTls(certificate: Certificate | null): Record<string, string> {
  if (certificate === null) return { LISTEN_TLS: '', CONNECT_TLS: '' };
  return { LISTEN_TLS: ` ssl crt ${certificate.bothFile}`, CONNECT_TLS: ' ssl verify none' };
}

/** HAProxy does not start unless it may open two files for each connection, and some more. */
const CONNECTIONS_MAX = 18_000;
const OTHER_FILES = 50;

/** Writes a configuration from its template in peers/. @returns its path */
function filledIn(template: string, site: Site, values: Readonly<Record<string, string>>): string {
  const directory = path.join(SCRATCH, `${template}-${site.port}`);
  mkdirSync(directory, { recursive: true });
  const all: Record<string, string> = {
    PORT: String(site.port),
    UPSTREAM_PORT: String(site.upstreamPort),
    DIRECTORY: directory,
    CONNECTIONS: String(Math.min(CONNECTIONS_MAX, Math.floor(mostFiles() / 2) - OTHER_FILES)),
    ...values,
  };
  const text = readFileSync(path.join(PEERS, template), 'utf8');
  const file = path.join(directory, template);
  writeFileSync(
    file,
    text.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => all[name] ?? ''),
  );
  return file;
}
