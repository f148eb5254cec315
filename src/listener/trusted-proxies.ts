// Decides which peers are trusted to say where a request came from.
import { BlockList, isIP } from 'node:net';

/**
 * For Fastify's `trustProxy`, whose own parsing of ranges refuses /0 and does not understand an address with a port.
 * @param ranges addresses and CIDRs as the settings allow them; none = nobody is trusted
 */
export function trustedProxies(ranges: readonly string[]): false | ((address: string | undefined) => boolean) {
  if (ranges.length === 0) return false;
  const trusted = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    if (prefix === undefined) trusted.addAddress(address, familyOf(address));
    else trusted.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (said) => {
    // A connection that is gone has no address.
    if (said === undefined) return false;
    const address = withoutPort(said);
    return isIP(address) !== 0 && trusted.check(address, familyOf(address));
  };
}

/** Some proxies put ports into X-Forwarded-For (`192.0.2.1:5678`, `[::1]:5678`): no range matches that, and each port would count as a caller. */
export function withoutPort(address: string): string {
  const bracketed = BRACKETED.exec(address);
  if (bracketed?.[1] !== undefined) return bracketed[1];
  const colon = address.indexOf(':');
  return colon !== -1 && colon === address.lastIndexOf(':') ? address.slice(0, colon) : address;
}

const BRACKETED = /^\[([^\]]+)\](?::\d+)?$/;

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}
