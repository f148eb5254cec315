// The last bytes on both legs of a relay: never inside a frame or message that is under way.
import type { Socket } from 'node:net';
import type { ClientFrames } from './frames/client-frames.ts';
import type { Closing } from './frames/close-code.ts';
import { makeCloseFrame, makeTextFrame } from './frames/frame.ts';
import type { UpstreamFrames } from './frames/upstream-frames.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

/** Upstream is told to stop, and that this is the end. @param lingerMs how long its own close frame is waited for */
export function closeUpstream(
  upstream: UpstreamSocket,
  up: ClientFrames,
  { code, reason }: Closing,
  { cancels, lingerMs }: { readonly cancels: readonly string[]; readonly lingerMs: number },
): void {
  up.flush();
  if (up.isMidFrame) {
    upstream.destroy();
    return;
  }
  for (const text of cancels) upstream.write(makeTextFrame(text, true));
  upstream.write(makeCloseFrame(code, reason, true));
  upstream.end(lingerMs);
}

/**
 * The client gets the errors that its readers wait for, and the close frame.
 * @returns false: a frame of ours would be read as a part of the message that never became whole, so nothing was said
 */
export function closeClient(
  client: Socket,
  down: UpstreamFrames,
  { code, reason }: Closing,
  errors: readonly string[],
): boolean {
  down.flush();
  if (down.isMidMessage) return false;
  for (const text of errors) client.write(makeTextFrame(text, false));
  client.write(makeCloseFrame(code, reason, false));
  return true;
}
