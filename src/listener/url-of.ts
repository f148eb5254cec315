// The URL under which a listener is reached from this machine.
import type { AddressInfo, Server } from 'node:net';
import { isWildcard } from '../config/network-names.ts';

/** @param server listens on a TCP port */
export function urlOf(server: Server, scheme: 'http' | 'https'): string {
  const { address, family, port } = server.address() as AddressInfo; // a TCP listener has one
  const host = isWildcard(address) ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return `${scheme}://${host}:${port}`;
}
