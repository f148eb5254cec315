// The first connection to upstream, made before the first caller needs it.
import { type DispatcherSource, Sending } from './sending.ts';
import { UpstreamFailure } from './upstream-failure.ts';

/**
 * Asks for `GET /`, which needs no key and is sent without one. `null` = upstream answered as Cartesia does; else why not.
 * Never rejects.
 * @param prefix the path of the base URL, without a slash at the end
 * @see https://docs.cartesia.ai/api-reference/api-status/get
 */
export function warmUp(source: DispatcherSource, prefix: string, deadlineMs: number): Promise<UpstreamFailure | null> {
  return new Promise((resolve) => {
    const sending = new Sending(
      source,
      { path: `${prefix}/`, method: 'GET' },
      {
        onRetry: () => {},
        onEnd: ({ failure, status }) => {
          clearTimeout(timer);
          resolve(failure ?? (status === 200 ? null : new UpstreamFailure('answer', `status ${status}`)));
        },
      },
    );
    const timer = setTimeout(() => {
      const failure = new UpstreamFailure('deadline', `${deadlineMs} ms`);
      sending.cancel(failure);
      resolve(failure);
    }, deadlineMs);
    sending.start();
  });
}
