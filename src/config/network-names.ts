// Hosts and addresses as settings name them.
import { isIP } from 'node:net';

/** Whether a host is this machine: 127.0.0.0/8, ::1 or `localhost`. Takes a host as settings or `URL.hostname` write it. */
export function isLoopback(host: string): boolean {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (isIP(bare) === 4) return bare.startsWith('127.');
  return bare === '::1' || bare.toLowerCase() === 'localhost';
}

/** Whether a host means every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The host under which this machine reaches a listener: one on every address is reached through loopback. */
export function hostFromHere(host: string): string {
  if (!isWildcard(host)) return host;
  return host === '::' ? '::1' : '127.0.0.1';
}

const HOST_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** An IP address without brackets, or a DNS name. `999.1.1.1` is neither. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  if (text.length > 253 || /^[0-9.]+$/.test(text)) return false;
  return text.split('.').every((label) => HOST_LABEL.test(label));
}

/** `10.0.0.0/8`, `2001:db8::/32` or one address. */
export function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return false;
  if (prefix === undefined) return true;
  return /^(?:0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}
