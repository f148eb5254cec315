// Tells what page made a browser send a request.
import type { IncomingHttpHeaders } from 'node:http';

/** `Sec-Fetch-Site` says it best, but browsers send it over HTTPS and to this machine only; elsewhere `Origin` has to name the host that was asked. */
export function isFromOwnPage({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin';
  const from = URL.parse(origin ?? '');
  return from !== null && from.host !== '' && from.host === host?.toLowerCase();
}

/** Whether another page loads it as a part of itself, such as an image. */
export function isEmbedded({ 'sec-fetch-site': site, 'sec-fetch-mode': mode }: IncomingHttpHeaders): boolean {
  return (site === 'cross-site' || site === 'same-site') && mode !== 'navigate';
}
