// Warns at start about what is allowed but risky or misleading.
import { warnOfIdleSettings } from './idle-settings.ts';
import { isCarrying } from './is-carrying.ts';
import { isLoopback } from './network-names.ts';
import { OUTPUT_FORMATS } from './output-format.ts';
import type { Report } from './report.ts';
import type { Settings } from './schema.ts';
import { asList } from './schema-nodes.ts';

/** Warns about settings that expose something, or that do not do what they seem to. */
export function cautionAbout(settings: Settings, report: Report): void {
  const { listen, management, upstream, clients, limits } = settings;
  const isTls = listen.tls.cert_file !== undefined;
  const apps = Object.entries(clients);

  if (!isLoopback(listen.host) && !isTls && !listen.require_https) {
    report.warn(
      ['listen', 'host'],
      'callers beyond this machine are served in the clear: their credentials and tokens can be read in transit. Set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy with TLS in front and set TRUST_PROXY and REQUIRE_HTTPS=true',
    );
  }
  if (listen.require_https && !isTls && listen.trust_proxy.length === 0) {
    report.warn(
      ['listen', 'require_https'],
      'every request will be refused: the broker serves no TLS itself and trusts no proxy (TRUST_PROXY)',
    );
  }
  if (listen.trust_proxy.some((range) => range.endsWith('/0'))) {
    report.warn(
      ['listen', 'trust_proxy'],
      'every address is trusted as a proxy: any caller can claim any address, and HTTPS',
    );
  }
  if (!isLoopback(management.host)) {
    report.warn(
      ['management', 'host'],
      'the management listener is reachable beyond this machine, and it asks for no credential: keep it in a private network',
    );
  }
  if (asList(upstream.api_key).some((key) => !key.startsWith('sk_car_'))) {
    report.warn(['upstream', 'api_key'], 'does not begin with sk_car_, as API keys of Cartesia do');
  }
  for (const [name, client] of apps) {
    // Anonymous callers are counted by address for MINT_RATE too.
    if (client.auth.anonymous && limits.mint_per_address === 'off' && client.limits.mint === 'off') {
      report.warn(
        ['clients', name, 'auth', 'anonymous'],
        'anybody may mint without a limit: MINT_RATE and MINT_RATE_PER_IP are off',
      );
    }
    // An operator who has set the rate has thought of it.
    if (client.trusted && !report.isGiven(['limits', 'mint_per_address'])) {
      report.warn(
        ['clients', name, 'trusted'],
        `all its users share the one address of its backend, and together may mint ${limits.mint_per_address}: set MINT_RATE_PER_IP to what they need, or to off if nobody else can reach the broker`,
      );
    }
    // Otherwise it does nothing, which idle-settings.ts tells.
    const isUsed = isCarrying(settings) && (client.auth.keys.length > 0 || client.auth.jwt.length > 0);
    if (client.auth.query_credentials && isUsed) {
      report.warn(
        ['clients', name, 'auth', 'query_credentials'],
        'credentials in a query string end up in the logs of proxies and in histories',
      );
    }
  }
  for (const [name, client] of apps) {
    // Not an error: Cartesia may have formats that are newer than this list.
    for (const [position, format] of (client.content?.formats ?? []).entries()) {
      if (OUTPUT_FORMATS.includes(format)) continue;
      report.warn(
        ['clients', name, 'content', 'formats', position],
        'is none of the formats that the broker knows, and may never match: raw, wav, mp3, an encoding such as pcm_s16le, or both as raw/pcm_s16le',
      );
    }
    if (client.content !== undefined && client.delivery === 'direct') {
      report.warn(
        ['clients', name, 'content'],
        "restricts only what the broker carries: with Cartesia's own tokens (delivery `direct`) callers bypass it",
      );
    }
  }
  const isProxied = apps.some(([, { delivery }]) => delivery === 'proxied');
  if (isProxied && settings.proxy === false) {
    report.warn(['proxy'], "access tokens of delivery `proxied` are for use here, but Cartesia's paths are not served");
  }
  if (isProxied && listen.public_url === undefined && !isLoopback(listen.host)) {
    report.warn(
      ['listen', 'public_url'],
      'is not set: answers of delivery `proxied` will name the address of the listener, which callers may be unable to reach',
    );
  }
  warnOfIdleSettings(settings, report);
}
