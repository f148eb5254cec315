// Statuses before the final one, for the two handlers that read responses through undici.
import { UpstreamFailure } from './upstream-failure.ts';

/**
 * Whether a status is informational, so that the final one is yet to come.
 * @throws UpstreamFailure if it is no status that a request without an upgrade can get. undici passes on 101 without the fields of an upgrade
 * and anything below 100, and then fails an assertion of its own, which would look like a fault of ours.
 */
export function isInterim(status: number): boolean {
  if (status < 100 || status === 101) throw new UpstreamFailure('malformed', `status ${status}`);
  return status < 200;
}
