// Writes the last frames on both sides of a relay, never inside a frame or message that is under way.
import type { Socket } from 'node:net';
import type { ClientFrames } from './frames/client-frames.ts';
import type { Closing } from './frames/close-code.ts';
import { makeCloseFrame, makeTextFrame } from './frames/frame.ts';
import type { UpstreamFrames } from './frames/upstream-frames.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

/** Tells upstream to stop generating, then closes. @param lingerMs how long upstream has to end its side */
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
 * Sends the client the errors that its readers wait for, and the close frame.
 * @returns `false`: nothing was sent, because a frame of ours would be read as part of an incomplete message
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
