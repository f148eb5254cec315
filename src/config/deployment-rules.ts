// Checks rules between settings of the whole deployment.
import { GRANTS } from './grant.ts';
import { isLoopback, isWildcard } from './network-names.ts';
import { wrongCertificates, wrongPemPair, wrongPrivateKey } from './pem-files.ts';
import type { Report, SettingPath } from './report.ts';
import type { Settings } from './schema.ts';

/** Reports what is missing, contradictory or unsafe. */
export function checkDeployment(settings: Settings, report: Report): void {
  if (settings.upstream.api_key === undefined && !report.isBroken(['upstream', 'api_key'])) {
    report.add(
      ['upstream', 'api_key'],
      'is missing: set CARTESIA_API_KEY, or CARTESIA_API_KEY_FILE to a file that holds it',
    );
  }
  checkUpstreamUrl(settings, report);
  checkListeners(settings, report);
  checkTls(settings, report);
  checkRedisTls(settings, report);
  checkSigning(settings, report);
  checkReserves(settings, report);
  checkAuthorities(settings.upstream.ca_file, ['upstream', 'ca_file'], report);
}

function checkUpstreamUrl({ upstream }: Settings, report: Report): void {
  const url = new URL(upstream.base_url);
  if (url.protocol === 'https:') return;
  const path = ['upstream', 'base_url'];
  if (!isLoopback(url.hostname)) {
    report.add(path, 'expected https://: the API key would cross the network in the clear');
  } else if (!upstream.allow_insecure && !report.isBroken(['upstream', 'allow_insecure'])) {
    report.add(path, 'expected https://, or CARTESIA_ALLOW_INSECURE=true for an http:// upstream on this machine');
  }
}

function checkListeners({ listen, management }: Settings, report: Report): void {
  const parts = ['listen', 'management'].flatMap((name) => [
    [name, 'host'],
    [name, 'port'],
  ]);
  if (parts.some((path) => report.isBroken(path))) return;
  const canMeet = listen.host === management.host || isWildcard(listen.host) || isWildcard(management.host);
  if (listen.port !== 0 && listen.port === management.port && canMeet) {
    report.add(['management', 'port'], 'expected a different port from that of the public listener (PORT)');
  }
}

function checkTls({ listen }: Settings, report: Report): void {
  const { cert_file: certFile, key_file: keyFile } = listen.tls;
  if (report.isBroken(['listen', 'tls'])) return;
  checkPair(
    { cert: certFile, key: keyFile },
    { cert: ['listen', 'tls', 'cert_file'], key: ['listen', 'tls', 'key_file'] },
    report,
  );
}

/** Files for TLS together with a URL without it mean that somebody wrongly believes the traffic to be encrypted. */
function checkRedisTls({ store }: Settings, report: Report): void {
  const { redis_url: url, redis_ca_file: caFile, redis_cert_file: certFile, redis_key_file: keyFile } = store;
  const paths = { cert: ['store', 'redis_cert_file'], key: ['store', 'redis_key_file'] };
  checkAuthorities(caFile, ['store', 'redis_ca_file'], report);
  if (!report.isBroken(paths.cert) && !report.isBroken(paths.key))
    checkPair({ cert: certFile, key: keyFile }, paths, report);
  const isGiven = [caFile, certFile, keyFile].some((file) => file !== undefined);
  if (isGiven && url !== undefined && !url.startsWith('rediss://'))
    report.add(
      ['store', 'redis_url'],
      'expected rediss://: a certificate authority or a certificate for Redis is given, but redis:// is not encrypted',
    );
}

function checkAuthorities(file: string | undefined, path: SettingPath, report: Report): void {
  if (file !== undefined) checkFile(wrongCertificates, file, path, report);
}

function checkFile(
  wrongOf: (file: string) => string | undefined,
  file: string,
  path: SettingPath,
  report: Report,
): void {
  const wrong = wrongOf(file);
  if (wrong !== undefined) report.add(path, wrong);
}

type PairMember = 'cert' | 'key';

/** A certificate and its key: both files, or neither. */
function checkPair(
  { cert, key }: Readonly<Record<PairMember, string | undefined>>,
  paths: Readonly<Record<PairMember, SettingPath>>,
  report: Report,
): void {
  const missing = 'is missing: TLS needs certificate and key';
  if (cert !== undefined && key !== undefined) {
    for (const { member, wrong } of wrongPemPair(cert, key)) report.add(paths[member], wrong);
  } else if (cert !== undefined) {
    report.add(paths.key, missing);
    checkFile(wrongCertificates, cert, paths.cert, report);
  } else if (key !== undefined) {
    report.add(paths.cert, missing);
    checkFile(wrongPrivateKey, key, paths.key, report);
  }
}

function checkSigning({ clients, tokens }: Settings, report: Report): void {
  if (tokens.signing_secret !== undefined || report.isBroken(['tokens', 'signing_secret'])) return;
  const isProxied = Object.values(clients).some(({ delivery }) => delivery === 'proxied');
  if (isProxied) {
    report.add(
      ['tokens', 'signing_secret'],
      'is missing: access tokens of delivery `proxied` are signed with TOKEN_SIGNING_SECRET (at least 32 bytes)',
    );
  }
}

/** Reserves together must fit into the limit. A client app that lacks a grant has no reserve of its kind. */
function checkReserves({ clients, upstream }: Settings, report: Report): void {
  for (const kind of GRANTS) {
    const reserved = Object.values(clients)
      .filter(({ grants }) => grants.includes(kind))
      .reduce((sum, { limits }) => sum + (limits.concurrency?.reserved ?? 0), 0);
    const limit = upstream.concurrency[kind];
    if (limit !== undefined && reserved > limit)
      report.add(
        ['upstream', 'concurrency', kind],
        `is less than what client apps have reserved together (${reserved})`,
      );
  }
}
