// The URL under which a listener is reached from this machine.
import type { AddressInfo, Server } from 'node:net';
import { hostFromHere } from '../config/network-names.ts';

/** @param server listens on a TCP port */
export function urlOf(server: Server, scheme: 'http' | 'https'): string {
  const { address, family, port } = server.address() as AddressInfo; // a TCP listener has one
  const host = hostFromHere(address);
  return `${scheme}://${family === 'IPv6' ? `[${host}]` : host}:${port}`;
}
