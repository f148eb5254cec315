// The kinds of text that a setting can hold, one row each: the form, and what an operator is told about a text that does not have it.
// No message repeats a value: settings hold secrets, sometimes by mistake.

import { BUDGET_PATTERN } from './budget.ts';
import { isCalendarDate } from './calendar-date.ts';
import { isAddressRange, isHost, isLoopback } from './network-names.ts';
import { RATE_PATTERN } from './rate.ts';

export interface TextKind {
  /** Completes the sentence "expected …". */
  readonly expected: string;
  /** Necessary form, also for editors (JSON Schema `pattern`). */
  readonly pattern: string;
  /** What a pattern cannot say. */
  readonly isValid?: (text: string) => boolean;
  /** A better sentence for a well-known mistake. */
  readonly mistake?: (text: string) => string | undefined;
}

const SIGNING_SECRET_MIN_BYTES = 32;

export const TEXT_KINDS = {
  line: {
    expected: 'a string of 1 to 512 characters without line breaks',
    pattern: '^[^\\u0000-\\u001f\\u007f]{1,512}$',
  },
  path: { expected: 'the path of a file', pattern: '^[^\\u0000]{1,4096}$' },
  client_name: {
    expected: 'a name of 1 to 40 letters, digits, "." or "-" that begins with a letter',
    pattern: '^[A-Za-z][A-Za-z0-9.-]{0,39}$',
  },
  api_key: {
    expected: 'a Cartesia API key: 8 to 512 printable ASCII characters without spaces, quotes or commas',
    pattern: '^[!#-&(-+\\--~]{8,512}$',
    isValid: (text) => !text.startsWith(ADMIN_KEY_PREFIX),
    mistake: (text) =>
      text.startsWith(ADMIN_KEY_PREFIX)
        ? `expected a standard API key; an admin key (${ADMIN_KEY_PREFIX}…) is refused: it cannot mint tokens, and it manages the whole organization`
        : undefined,
  },
  signing_secret: {
    expected: `a secret of at least ${SIGNING_SECRET_MIN_BYTES} bytes, such as the output of \`openssl rand -base64 48\``,
    // No control characters: a secret of several lines comes from the wrong file.
    pattern: '^[^\\u0000-\\u001f\\u007f]{8,4096}$',
    isValid: (text) => Buffer.byteLength(text) >= SIGNING_SECRET_MIN_BYTES,
  },
  admin_token: {
    expected: `a secret of at least ${SIGNING_SECRET_MIN_BYTES} printable ASCII characters, such as the output of \`openssl rand -hex 32\`, without leading, trailing or double spaces`,
    // Only what arrives in a header field as it was sent.
    pattern: '^(?=.{32,4096}$)[!-~]+(?: [!-~]+)*$',
  },
  redis_url: {
    expected:
      'a URL such as redis://host:6379 or rediss://user:password@host:6379/0 (after the slash: the number of a database; a /, ?, # or @ in the password is written as %2F, %3F, %23 or %40)',
    pattern: '^rediss?://[^\\s]{1,2048}$',
    isValid: isRedisUrl,
    mistake: (text) => {
      if (/^(?:redis\+)?unix:|^\/|^rediss?:\/\/\//.test(text))
        return 'expected redis:// or rediss:// and a host: Unix sockets are not supported';
      // The client would take each parameter for an option of its own, and ignore `ssl=true`.
      if (/^rediss?:\/\/[^?]*\?/.test(text))
        return 'expected a URL without a query: rediss:// asks for TLS, and the number after the slash selects a database; a ? in the password is written as %3F';
      return undefined;
    },
  },
  store_prefix: {
    expected: 'a name of 1 to 64 letters, digits, ".", "_", "-" or ":"',
    pattern: '^[A-Za-z0-9._:-]{1,64}$',
  },
  key_hash: {
    expected: 'sha256: followed by 64 hexadecimal digits (made by `cartesia-broker key`)',
    pattern: '^sha256:[0-9A-Fa-f]{64}$',
    mistake: (text) =>
      text.startsWith('cb_')
        ? 'expected the hash of the app key (sha256:<64 hexadecimal digits>), not the key itself'
        : undefined,
  },
  host: {
    expected: 'an IP address or a host name, without brackets or a port',
    pattern: '^[0-9A-Za-z.:%-]{1,253}$',
    isValid: isHost,
  },
  address_range: {
    expected: 'IP addresses or CIDR ranges such as 10.0.0.0/8',
    pattern: '^[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?$',
    isValid: isAddressRange,
  },
  upstream_url: {
    expected: 'https://host[:port] without a path',
    pattern: '^https?://[^/?#@\\s]+/?$',
    isValid: (text) => parseUrl(text) !== undefined,
  },
  public_url: {
    expected: 'a URL such as https://voice.example.com, without query, fragment or credentials',
    pattern: '^https?://[^?#@\\s]+$',
    isValid: (text) => parseUrl(text) !== undefined,
  },
  identity_url: {
    expected:
      'an https:// URL without query, fragment or credentials (http:// only on the same machine), or JWT_JWKS_URL as well',
    // The URL parser would take a list of two for one strange host.
    pattern: '^https?://[^?#@,\\s]+$',
    isValid: (text) => isHttpsOrLoopback(parseUrl(text)) && !isDiscoveryDocument(text),
    mistake: (text) => {
      if (isDiscoveryDocument(text))
        return 'expected the issuer itself, as tokens name it: the broker derives the address of the discovery document from it';
      if (text.includes(',')) return 'expected one issuer; several are described in the file that BROKER_CONFIG names';
      return undefined;
    },
  },
  jwks_url: {
    expected: 'an https:// URL without fragment or credentials (http:// only on the same machine)',
    pattern: '^https?://[^#@\\s]+$',
    isValid: (text) => isHttpsOrLoopback(parseUrl(text)),
  },
  origin: {
    expected:
      'an exact origin as browsers send it: https://host[:port], no path, no wildcard (http:// only for localhost), or that of an app such as capacitor://localhost',
    pattern: '^[a-z][a-z0-9+.-]*://[^/?#@\\s*]+$',
    isValid: (text) => APP_ORIGIN.test(text) || isWebOrigin(text),
  },
  date: {
    expected: 'a calendar date such as 2026-03-01',
    pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$',
    isValid: isCalendarDate,
  },
  budget: { expected: 'a budget such as 20000/day (hour, day or month)', pattern: `^${BUDGET_PATTERN}$` },
  rate_or_off: {
    expected: 'a rate such as 30/minute (second, minute, hour or day), or off',
    pattern: `^(?:${RATE_PATTERN}|off)$`,
  },
} as const satisfies Record<string, TextKind>;

export type TextKindName = keyof typeof TEXT_KINDS;

/** What is wrong with a text of this kind, as "expected …"; `undefined` when it is right. Never holds the text. */
export function wrongText(kindName: TextKindName, text: string): string | undefined {
  const kind: TextKind = TEXT_KINDS[kindName];
  if (patternOf(kind).test(text) && (kind.isValid?.(text) ?? true)) return undefined;
  return kind.mistake?.(text) ?? `expected ${kind.expected}`;
}

/** Prefix of Cartesia's admin keys, which open usage, API keys and organizations, but nothing that speaks. */
const ADMIN_KEY_PREFIX = 'sk_car_admin_';

const patterns = new Map<string, RegExp>();

function patternOf(kind: TextKind): RegExp {
  let pattern = patterns.get(kind.pattern);
  if (pattern === undefined) {
    pattern = new RegExp(kind.pattern, 'u');
    patterns.set(kind.pattern, pattern);
  }
  return pattern;
}

function parseUrl(text: string): URL | undefined {
  return URL.parse(text) ?? undefined;
}

/**
 * A stray % in the password would fail in the client only when it connects, each time. Text after the slash that is not a number would
 * be taken for one.
 */
function isRedisUrl(text: string): boolean {
  const url = parseUrl(text);
  if (url === undefined || url.hostname === '') return false;
  if (!/^(?:\/\d{0,9})?$/.test(url.pathname) || /[?#]/.test(text)) return false;
  try {
    decodeURIComponent(url.username + url.password + url.pathname);
    return true;
  } catch {
    return false;
  }
}

/** Whether a URL is that of a discovery document (OpenID Connect Discovery §4, RFC 8414 §3), which operators copy from the browser. */
function isDiscoveryDocument(text: string): boolean {
  return text.includes('/.well-known/');
}

/** Browsers send the host in lower case and leave out the default port: another form would never match. */
function isWebOrigin(text: string): boolean {
  const url = parseUrl(text);
  if (url?.origin !== text || !/^https?:$/.test(url.protocol)) return false;
  return isHttpsOrLoopback(url) || url.hostname.endsWith('.localhost'); // of Tauri on Windows: http://tauri.localhost
}

/**
 * Pages inside an app (Capacitor, Ionic, Tauri) and browser extensions have schemes of their own. One that begins like http is a typo, that
 * of a WebSocket is no page's, and pages of the others named here send `null`.
 */
const APP_ORIGIN = /^(?!ht|wss?:|ftp:|file:|data:|blob:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(?::\d{1,5})?$/;

function isHttpsOrLoopback(url: URL | undefined): boolean {
  return url !== undefined && (url.protocol === 'https:' || isLoopback(url.hostname));
}
